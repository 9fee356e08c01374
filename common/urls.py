"""`staff` below /api/v1/admin/."""

from django.urls import path

from common.audit.api import AuditLog

staff = [path("audit-log/", AuditLog.as_view())]
