"""The tables of `accounts`, for Django to find."""

from accounts.sessions.models import RefreshFamily
from accounts.users.models import User

__all__ = ["RefreshFamily", "User"]
