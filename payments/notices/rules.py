"""Which changes of a payment are worth a mail, for how long, and what one consists of. Pure."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from payments.intake.rules import WITHHELD, Destination, Method, Reason, Status
from shop.orders.rules import Status as OrderStatus

# SMTP takes about ten steps, and each may take all of EMAIL_TIMEOUT.
LEASE: Final = timedelta(minutes=3)
# News that old confuses more than it tells; the payment is in the shop's own pages.
GIVE_UP_AFTER: Final = timedelta(days=3)

# Stripe's word for 3-D Secure that waits for the cardholder.
ASKS_CARDHOLDER: Final = "requires_action"
# Late and unused money is decided in the same moment, a dispute is the bank's to tell, and of a
# suspicion of fraud nobody is warned.
LOOKED_AT: Final = frozenset(
    {Reason.UNDERPAID, Reason.OVERPAID, Reason.WRONG_TOKEN, Reason.REORGED}
)
_AUTOMATIC: Final = "automatic: "
SURPLUS: Final = f"{_AUTOMATIC}{Reason.OVERPAID}"


@dataclass(frozen=True, slots=True)
class Line:
    """A bought line; amounts as the buyer reads them."""

    name: str
    quantity: int
    unit_price: str
    total: str


@dataclass(frozen=True, slots=True)
class Letter:
    """What a mail says, in both of its forms; `facts` are a label and a value each."""

    subject: str
    paragraphs: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    lines: tuple[Line, ...] = ()
    total: str = ""


def success_is_news(reviewed: str) -> bool:
    """Not after a dispute: the order was paid before, and its buyer was told."""
    return reviewed not in WITHHELD


def is_surplus(reason: str) -> bool:
    """Of a refund: the letter about the payment has said so already."""
    return reason == SURPLUS


def failure_is_news(order: str | None, *, another_open: bool) -> bool:
    """Of an order that was paid or called off meanwhile, or is about to be paid, nobody worries."""
    if order == OrderStatus.PENDING:
        return not another_open
    return order in (None, OrderStatus.EXPIRED)


def expiry_is_news(payment: str, order: str | None, *, by_shop: bool) -> bool:
    """Not where the money came after all, or the buyer cancelled: they know."""
    if payment != Status.EXPIRED:
        return False
    return order == OrderStatus.EXPIRED or (order == OrderStatus.CANCELLED and by_shop)


def review_is_news(payment: str, reason: str) -> bool:
    return payment == Status.REVIEW and reason in LOOKED_AT


def goes_to_wallet(destination: str, method: str) -> bool:
    return destination == Destination.WALLET or method == Method.WALLET


def unused_why(reason: str, *, by_staff: bool) -> Reason | None:
    """Why intake gave money back by itself, read from the refund's reason; None for others."""
    if by_staff or not reason.startswith(_AUTOMATIC):
        return None
    return Reason(reason.removeprefix(_AUTOMATIC))


def one_line(text: str) -> str:
    """A name as it can do no harm in plain text: no line of its own, no reversed writing."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
