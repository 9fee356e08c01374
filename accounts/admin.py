"""The admin pages of `accounts`, for Django to find."""

from accounts.users.admin import UserAdmin

__all__ = ["UserAdmin"]
