"""Who may come in. The default, in settings, is: signed in."""

from typing import Any

from rest_framework.permissions import BasePermission


class IsStaff(BasePermission):
    """Staff only: 401 for nobody, 403 for a customer."""

    def has_permission(self, request: Any, view: Any) -> bool:
        return bool(request.user and request.user.is_authenticated and request.user.is_staff)
