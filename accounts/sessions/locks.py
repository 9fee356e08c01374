"""The row that a sign-in holds."""

from accounts.users.models import User


def user_active(*, user_id: int) -> User | None:
    """The user's row, locked, if it is active.

    A deactivation updates this row before it ends the families: it either sees the family that is
    being added here or has already made this return None.
    """
    return User.objects.select_for_update().filter(pk=user_id, is_active=True).first()
