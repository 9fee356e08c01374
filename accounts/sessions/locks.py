"""The row that a sign-in holds."""

from accounts.users.models import User


def user_active(*, user_id: int) -> User | None:
    """The user's row, locked, if it is active.

    Deactivation and password change update this row before they end the families: they either see
    the family that is being added here, or this returns what they have made of the row.
    """
    return User.objects.select_for_update().filter(pk=user_id, is_active=True).first()
