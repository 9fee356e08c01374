"""The tables of `accounts`, for Django to find."""

from accounts.ledger.models import Account, Hold, Posting, PostingMark, PostingSum, Transfer
from accounts.sessions.models import RefreshFamily
from accounts.users.models import User

__all__ = [
    "Account",
    "Hold",
    "Posting",
    "PostingMark",
    "PostingSum",
    "RefreshFamily",
    "Transfer",
    "User",
]
