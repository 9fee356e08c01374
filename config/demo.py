"""The demo's people and what they bought, made through the services like everybody's."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import QuerySet

from accounts.ledger.models import Transfer
from accounts.models import User
from accounts.users.selectors import user_find
from accounts.users.services import user_register
from common import clock
from common.append_only import AppendOnly
from payments.checkout.services import order_place
from payments.intake import services as intake
from payments.intake.models import Payment, PaymentEvent
from payments.notices.services import notices_skip
from payments.stripe import services as stripe
from shop.catalogue.models import PriceChange
from shop.inventory.models import StockHold, StockMovement
from shop.orders.models import Order, OrderEvent, OrderLine

Basket = dict[str, int]


@dataclass(frozen=True)
class Customer:
    """`orders` are baskets ({slug: quantity}) by how many days ago they were bought."""

    email: str
    name: str
    username: str
    password: str
    orders: tuple[tuple[int, Basket], ...]
    refunded: Basket | None = None


CUSTOMERS: Final = (
    Customer(
        "layla@example.com",
        "Layla Haddad",
        "layla",
        "demo-password-1",
        (
            (75, {"table": 1, "chair": 4}),
            (41, {"lamp": 2}),
            (12, {"laptop": 1}),
            (3, {"lamp": 1, "chair": 1}),
        ),
        refunded={"lamp": 1},
    ),
    Customer(
        "omar@example.com",
        "Omar Nasser",
        "omar",
        "demo-password-2",
        ((60, {"chair": 2}), (20, {"lamp": 3, "table": 2}), (5, {"chair": 6})),
    ),
    Customer(
        "mina@example.com",
        "Mina Park",
        "mina",
        "demo-password-3",
        ((33, {"laptop": 1, "lamp": 1}), (8, {"table": 1})),
    ),
)


def superuser_ensure() -> None:
    """`testuser` / `password123`: one of the assignments names this login."""
    if user_find(identifier="testuser") is None:
        User.objects.create_superuser(
            email="testuser@example.com",
            username="testuser",
            password="password123",  # noqa: S106  # nosec B106  # public on purpose
        )


def customer_ensure(customer: Customer, *, buys: bool) -> bool:
    """Make one demo customer; False where the customer exists.

    Purchases go through Stripe: with a key of one's own they would fill that account.
    """
    if user_find(identifier=customer.email) is not None:
        return False
    user = user_register(
        email=customer.email,
        password=customer.password,
        username=customer.username,
        name=customer.name,
    )
    if not buys:
        return True
    for days_ago, basket in customer.orders:
        _age_prices(basket, days_ago)
        _buy(user.pk, basket, days_ago)
    if customer.refunded:
        _give_back(user.pk, customer.refunded)
    # Their addresses are nobody's, and the terminal of `make run` prints every mail.
    notices_skip(user_id=user.pk)
    return True


def _buy(user_id: int, basket: Basket, days_ago: int) -> None:
    placed = order_place(user_id=user_id, quantities=basket, method="stripe")
    payment = stripe.payment_confirm(payment_id=placed.payment.pk, payment_method="pm_card_visa")
    stripe.intent_sync(payment_id=payment.pk)
    _backdate(placed.order.pk, clock.now() - timedelta(days=days_ago))


def _age_prices(basket: Basket, days_ago: int) -> None:
    """A first price is older than what was bought at it; one that was changed stays as it is."""
    moment = clock.now() - timedelta(days=days_ago + 1)
    for slug in basket:
        prices = list(PriceChange.objects.filter(product__slug=slug)[:2])
        if len(prices) == 1:
            # Its own manager changes nothing.
            first: QuerySet[PriceChange] = QuerySet(model=PriceChange)
            first.filter(pk=prices[0].pk, changed_at__gt=moment).update(changed_at=moment)


def _backdate(order_id: int, moment: datetime) -> None:
    """Move a demo order into the past: the one place that writes history's times."""
    events: dict[type[AppendOnly], dict[str, Any]] = {
        OrderEvent: {"order_id": order_id},
        PaymentEvent: {"payment__order_id": order_id},
        StockMovement: {"order_line__order_id": order_id},
        Transfer: {"reference__in": _captures(order_id)},
    }
    for model, where in events.items():
        # Django's own queryset: these tables' own has no update.
        QuerySet(model).filter(**where).update(created_at=moment)
    Order.objects.filter(pk=order_id).update(
        placed_at=moment, paid_at=moment, expires_at=moment + timedelta(minutes=15)
    )
    OrderLine.objects.filter(order_id=order_id).update(purchased_at=moment)
    Payment.objects.filter(order_id=order_id).update(created_at=moment)
    StockHold.objects.filter(order_line__order_id=order_id).update(
        created_at=moment, released_at=moment
    )


def _captures(order_id: int) -> list[str]:
    """The references of the order's transfers in the ledger."""
    captured = PaymentEvent.objects.filter(payment__order_id=order_id, kind="captured")
    return [once for once in captured.values_list("once", flat=True) if once]


def _give_back(user_id: int, lines: Basket) -> None:
    payment = Payment.objects.filter(user_id=user_id, captured__gt=0).order_by("-pk").first()
    if payment is None:
        return
    refund = intake.refund_request(
        payment_id=payment.pk,
        amount=None,
        lines=lines,
        restock=True,
        reason="demo: changed their mind",
        actor_id=None,
    )
    # Now, not by the worker: stock must not change under the first visitor's eyes.
    stripe.refund_send(refund_id=refund.pk)
