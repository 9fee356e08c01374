"""The audit log, for staff."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from common.api.docs import cursor_of, operation
from common.api.permissions import IsStaff
from common.api.views import ApiView
from common.audit import selectors
from common.audit.serializers import AuditEntryOut, AuditQuery


def _actors(page: list[Any]) -> dict[str, Any]:
    return {"actors": selectors.usernames(page)}


class AuditLog(ApiView):
    permission_classes = [IsStaff]

    @operation(
        "What staff did and where money went, newest first",
        operation_id="admin_audit_log_list",
        answers={200: cursor_of(AuditEntryOut)},
        parameters=(AuditQuery,),
        tags=["staff: audit"],
    )
    def get(self, request: Request) -> Response:
        query = self.query(request, AuditQuery)
        rows = selectors.entries(action=query.get("action"), target=query.get("target"))
        return self.cursor(rows, AuditEntryOut, with_page=_actors)
