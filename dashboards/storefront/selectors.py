"""What the pages of the shop show, read through the selectors of shop and payments."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django.conf import settings

from common.money import from_minor
from payments.checkout import selectors as checkout
from payments.checkout.paying import selectors as paying
from payments.crypto import selectors as crypto
from payments.intake import ports as intake
from payments.intake.models import Payment
from payments.intake.rules import Method
from payments.market import selectors as market
from shop import ports
from shop.catalogue import selectors as catalogue
from shop.flash_sales import selectors as flash_sales
from shop.orders import selectors as orders
from shop.orders.models import Order
from shop.orders.rules import Status

PAGE: Final = 24
ORDERS: Final = 20
HISTORY: Final = 40
LEADERS: Final = 20


def methods() -> list[str]:
    """Ways to pay of these pages, the card first; what they could not take is not offered.

    Coins need their chain, and a card Stripe's form, which needs the publishable key.
    """
    can = {Method.STRIPE: paying.cards_are_taken(), Method.CRYPTO: bool(settings.CHAIN_RPC_URL)}
    wanted = (Method.STRIPE, Method.CRYPTO, Method.WALLET)
    there = intake.gateways()
    return [method for method in wanted if method in there and can.get(method, True)]


def tokens() -> list[str]:
    return [token.symbol for token in market.tokens()]


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """What a product costs in a token, and whether that is made up or old."""

    token: str
    amount: str
    source: str
    stale: bool


def token_price(price: int, token: str) -> TokenPrice | None:
    """None where no source can be trusted. Raises UnknownToken."""
    quote = _quote(token)
    if quote is None:
        return None
    return TokenPrice(quote.token, quote.amount(price), quote.source, quote.stale)


def coin_quotes() -> list[ports.TokenQuote]:
    """Rates of the tokens that can be paid with at the moment; none where none can be trusted."""
    found = (_quote(token) for token in tokens() if crypto.is_taken(token))
    return [quote for quote in found if quote is not None]


def _quote(token: str) -> ports.TokenQuote | None:
    try:
        return ports.token_quote(token=token, currency="USD")
    except ports.TokenPriceUnavailable:
        return None


@dataclass(frozen=True, slots=True)
class Seen:
    """A product as this caller sees it; prices in minor units."""

    row: Any
    price: int
    member_price: int
    picture: str | None

    @property
    def saving(self) -> int:
        return int(self.row.list_price) - self.member_price

    @property
    def is_cheaper_for_members(self) -> bool:
        return self.member_price < self.price


def seen(row: Any, *, member: bool) -> Seen:
    return Seen(
        row,
        catalogue.price_of(row, member=member),
        catalogue.price_of(row, member=True),
        catalogue.picture(row),
    )


def price_steps(slug: str) -> list[tuple[Any, Decimal]]:
    """When the public price changed, and to what, in major units; oldest first."""
    rows = list(catalogue.price_history(slug).order_by("-pk")[:HISTORY])
    return [(row.changed_at, from_minor(row.price, "USD")) for row in reversed(rows)]


def leaders(slug: str) -> list[Any]:
    """The first of the current or last run, by the name that each has chosen."""
    run = flash_sales.run_listed(slug, None)
    return list(flash_sales.leaderboard(run)[:LEADERS])


@dataclass(frozen=True, slots=True)
class Bought:
    order: Order
    payment: Payment | None

    @property
    def may_change(self) -> bool:
        """It can be given up, or paid another way: no money is on its way."""
        return self.order.status == Status.PENDING and not self.order.deadline_suspended

    @property
    def waits(self) -> bool:
        """Its payment's page asks for something."""
        return self.payment is not None and self.payment.status in ("awaiting", "processing")


def bought(user_id: int, *, page: int) -> tuple[list[Bought], bool]:
    """A page of a customer's orders, newest first, and whether there are more."""
    start = ORDERS * (page - 1)
    found = list(orders.orders_of(user_id).order_by("-pk")[start : start + ORDERS + 1])
    payments = checkout.join(found[:ORDERS]).payments
    return [Bought(o, payments.get(o.pk)) for o in found[:ORDERS]], len(found) > ORDERS


def bought_one(user_id: int, number: str) -> Bought:
    """Raises Http404."""
    order = orders.order_of(user_id, number)
    return Bought(order, checkout.join([order]).payments.get(order.pk))
