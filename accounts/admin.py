"""The admin pages of `accounts`, for Django to find."""

from accounts.ledger.admin import AccountAdmin, HoldAdmin, TransferAdmin
from accounts.users.admin import UserAdmin

__all__ = ["AccountAdmin", "HoldAdmin", "TransferAdmin", "UserAdmin"]
