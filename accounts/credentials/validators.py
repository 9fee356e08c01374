"""A password validator that checks nothing: Django tells it of every password that is saved."""

from typing import TYPE_CHECKING

from django.utils.translation import gettext

from accounts.sessions import services as sessions
from accounts.sessions.models import RefreshFamily

if TYPE_CHECKING:
    from accounts.users.models import User


class SessionsEnd:
    """Ends the sessions of a user whose password Django's own admin page or command changed."""

    def validate(self, password: str, user: "User | None" = None) -> None:
        """Every password will do."""

    def password_changed(self, password: str, user: "User") -> None:
        sessions.sessions_end(user_id=user.pk, reason=RefreshFamily.Reason.PASSWORD)

    def get_help_text(self) -> str:
        return gettext("A new password ends your sessions on every device.")
