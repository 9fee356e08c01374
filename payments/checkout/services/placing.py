"""Placing orders with their payments, those that wait at the same moment in one transaction.

Each buyer is answered after the COMMIT. Where one of them is refused, nothing is written and each
is tried alone, so that nobody's order depends on another's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.db import InterfaceError, OperationalError

from accounts.ledger.services import Purses
from common import clock, context, ids
from common.db import transactional
from common.errors import Busy
from common.idempotency import services as idempotency
from common.idempotency.errors import KeyInUse
from common.idempotency.services import Claim
from common.together import Together
from payments.checkout.services.orders import expire_all
from payments.intake import ports
from payments.intake import services as intake
from payments.intake.models import Payment
from payments.intake.rules import Method
from payments.intake.services import Opening
from shop.inventory.errors import OutOfStock
from shop.orders import selectors as order_reads
from shop.orders import services as orders
from shop.orders.models import Order
from shop.orders.services import Demand, NewOrder


@dataclass(frozen=True, slots=True)
class Placed:
    """An order, its payment, and what was ordered."""

    order: Order
    payment: Payment
    demands: Sequence[Demand]


@dataclass(frozen=True, slots=True)
class Wish:
    """A waiting order, with what its request carries: the thread that writes it is another's."""

    user_id: int
    quantities: Mapping[str, int]
    method: str
    terms: Any
    expected_total: int | None
    request_id: str
    claim: Claim | None


Answer = Placed | Exception


def order_place(
    *,
    user_id: int,
    quantities: Mapping[str, int],
    method: str,
    expected_total: int | None = None,
    token: str | None = None,
    refund_address: str = "",
) -> Placed:
    """Place an order and open its payment, together or not at all.

    On shortage the overdue holds of the short products are released first, in transactions of
    their own: their buyers' time is over, whether or not the sweep has come by. Raises OutOfStock,
    UnknownProducts, PriceChanged, TotalTooLarge, MethodUnavailable, InsufficientFunds; for coins
    UnknownToken, AddressRefused and RateUnavailable.
    """
    gateway = ports.gateway(method)
    # Before anything is locked: somebody may have to be asked for a rate.
    terms = gateway.terms(token, refund_address)
    request_id, claim = context.request_id.get(), idempotency.running()
    wish = Wish(user_id, quantities, method, terms, expected_total, request_id, claim)
    try:
        placed = _group(wish).call(wish)
    except OutOfStock as shortage:
        if not expire_all(order_reads.overdue_order_ids_holding(shortage.product_ids)):
            raise
        placed = _group(wish).call(wish)
    # The provider is slow and may be down: never under a lock, never a reason to lose the order.
    gateway.open(placed.payment.pk)
    return placed


def _group(wish: Wish) -> Together[Wish, Placed]:
    # By the product whose row is locked first: buyers of another need not wait for that row.
    lanes = _LANES[Method(wish.method)]
    return lanes[hash(min(wish.quantities)) % len(lanes)]


def _carry_out(wishes: Sequence[Wish]) -> Sequence[Answer]:
    try:
        return _place(wishes)
    except (Busy, OperationalError, InterfaceError) as error:
        # Alone, each would wait for the same row or server as long again.
        return [error] * len(wishes)
    except Exception as error:
        if len(wishes) == 1:
            return [error]
    return [answer for wish in wishes for answer in _carry_out([wish])]


@transactional
def _place(wishes: Sequence[Wish]) -> list[Placed]:
    """All wishes of one method, or none. Locks: new rows, stock rows by key, wallets by key."""
    baskets = orders.baskets_price([(wish.quantities, wish.expected_total) for wish in wishes])
    wanted = [
        NewOrder(ids.order_number(), wish.user_id, demands)
        for wish, demands in zip(wishes, baskets, strict=True)
    ]
    refs = {wish.claim: new.number for wish, new in zip(wishes, wanted, strict=True) if wish.claim}
    if idempotency.bind_many(refs, status=201):
        raise KeyInUse(retry_after=1)
    at_once = wishes[0].method == Method.WALLET
    made = orders.orders_create(
        wanted=wanted, now=clock.now(), hold_seconds=settings.ORDER_HOLD_SECONDS, paid=at_once
    )
    orders.orders_take_stock(made, paid=at_once)
    return [Placed(*one) for one in zip(made, _pay(made, wishes), baskets, strict=True)]


def _pay(made: Sequence[Order], wishes: Sequence[Wish]) -> Sequence[Payment]:
    """Open payments, or pay at once: the wallets are locked after stock."""
    openings = [
        Opening(order, wish.request_id, wish.terms)
        for order, wish in zip(made, wishes, strict=True)
    ]
    if wishes[0].method != Method.WALLET:
        return intake.payments_open(openings, method=wishes[0].method)
    purses = Purses({order.user_id for order in made}, orders.CURRENCY)
    for order in made:
        purses.take(order.user_id, order.total)
    return intake.payments_from_wallet(openings, purses=purses)


LANES: Final = 2
_LANES: Final = {method: [Together(_carry_out) for _ in range(LANES)] for method in Method}
