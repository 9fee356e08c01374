"""What a payer is told of a payment. Pure."""

from dataclasses import dataclass
from decimal import Context, Decimal
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qsl, urlencode

from payments.intake.rules import OPEN, Reason, Status

# Stripe's names of test cards that the sandbox and Stripe's own test mode know alike.
TEST_CARDS: Final = (
    "pm_card_visa",
    "pm_card_mastercard",
    "pm_card_visa_chargeDeclined",
    "pm_card_chargeDeclinedInsufficientFunds",
    "pm_card_chargeDeclinedExpiredCard",
    "pm_card_threeDSecure2Required",
)
# Amounts of an EIP-681 link: of the native coin, and of a token's `transfer`.
_AMOUNTS: Final = {"value", "uint256"}
# A uint256 has 78 digits; the default context would round them away.
_EXACT: Final = Context(prec=120)


class Stage(StrEnum):
    """A status as a payer sees it: `over` and `part_paid` are written down as such later."""

    AWAITING = "awaiting"
    OVER = "over"
    PART_PAID = "part_paid"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"
    REPLACED = "replaced"
    REVIEW = "review"
    REFUNDED = "refunded"
    REVERSED = "reversed"

    @property
    def takes_money(self) -> bool:
        return self in (Stage.AWAITING, Stage.PART_PAID)

    @property
    def poll_seconds(self) -> int:
        """How often an open page asks for news; 0 where none is expected."""
        if self.takes_money or self in (Stage.OVER, Stage.PROCESSING):
            return 3
        return 20 if self in (Stage.EXPIRED, Stage.REVIEW) else 0


@dataclass(frozen=True, slots=True)
class Coins:
    """Of one token, in base units: what is asked for, and what the address has received."""

    asked: int
    received: int

    @property
    def is_part(self) -> bool:
        return 0 < self.received < self.asked

    @property
    def left(self) -> int:
        return max(0, self.asked - self.received)


def stage(status: str, reason: str, *, is_over: bool, coins: Coins | None) -> Stage:
    """What to tell of a payment in `status`; `is_over`: its deadline has passed."""
    part = coins is not None and coins.is_part
    if part and (status in OPEN or (status == Status.REVIEW and reason == Reason.UNDERPAID)):
        return Stage.PART_PAID
    if status == Status.AWAITING and is_over:
        return Stage.OVER
    return Stage(status)


def amount_of(units: int, *, asked: int, amount: str) -> str:
    """`units` in the token's own unit, where `asked` base units are `amount` of it."""
    share = _EXACT.divide(_EXACT.multiply(Decimal(units), Decimal(amount)), Decimal(asked))
    return format(_EXACT.normalize(share), "f")


def link_for(uri: str, units: int) -> str:
    """The EIP-681 link `uri`, asking for `units` base units instead."""
    target, _, query = uri.partition("?")
    pairs = [(k, str(units) if k in _AMOUNTS else v) for k, v in parse_qsl(query)]
    return f"{target}?{urlencode(pairs)}"
