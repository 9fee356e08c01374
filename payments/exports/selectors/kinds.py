"""What can be exported: the rows of each kind, and its columns. One line of CSV is one row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.db.models import QuerySet, Value

from accounts.ledger.models import Posting
from payments.exchange.models import ExchangeOrder
from payments.exchange.rules import CASH
from payments.exchange.rules import OrderStatus as CoinStatus
from payments.exports.rules import Cell, Column, Kind
from payments.intake.models import Payment, Refund
from payments.intake.rules import RefundStatus
from payments.intake.rules import Status as PaymentStatus
from shop.models import OrderLine, Product, Stock
from shop.orders.rules import Status as OrderStatus

Rows = QuerySet[Any]
Filters = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Source:
    """Rows in any order, to be read by primary key; `moment` is what a period is a period of.

    `grows` asks for one: without a period the file would hold all of the shop's past. `right` is
    the permission that opens the same rows in the admin.
    """

    rows: Callable[[], Rows]
    columns: tuple[Column, ...]
    right: str
    moment: str = ""
    grows: bool = True
    statuses: tuple[str, ...] = ()
    status: str = "status"

    def found(self, filters: Filters) -> Rows:
        """The rows between `from` (included) and `to` (not), in a state."""
        rows = self.rows()
        if "from" in filters:
            rows = rows.filter(**{f"{self.moment}__gte": datetime.fromisoformat(filters["from"])})
        if "to" in filters:
            rows = rows.filter(**{f"{self.moment}__lt": datetime.fromisoformat(filters["to"])})
        return rows.filter(**{self.status: filters["status"]}) if "status" in filters else rows

    def paths(self) -> list[str]:
        """Everything that a row is asked for; its key is where the next piece goes on."""
        return list(dict.fromkeys(["pk", *(path for c in self.columns for path in c.paths())]))


def _money(name: str, path: str = "", currency: str = "currency") -> Column:
    return Column(name, path or name, Cell.MONEY, currency)


def _moment(name: str, path: str = "") -> Column:
    return Column(name, path or name, Cell.MOMENT)


def _number(name: str, path: str = "") -> Column:
    return Column(name, path or name, Cell.NUMBER)


def _same(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, name) for name in names)


ORDERS: Final = Source(
    OrderLine.objects.all,
    (
        Column("order", "order__number"),
        Column("status", "order__status"),
        Column("fulfilment", "order__fulfilment"),
        Column("customer", "order__user__email"),
        _moment("placed_at", "order__placed_at"),
        _moment("paid_at", "order__paid_at"),
        *_same("sku", "name"),
        _number("quantity"),
        Column("currency", "order__currency"),
        _money("unit_price", currency="order__currency"),
        _money("line_total", "total", "order__currency"),
        _money("line_refunded", "refunded", "order__currency"),
        _number("refunded_quantity"),
        _money("order_total", "order__total", "order__currency"),
    ),
    "shop.view_order",
    "order__placed_at",
    statuses=tuple(OrderStatus),
    status="order__status",
)
PAYMENTS: Final = Source(
    Payment.objects.all,
    (
        Column("id", "uid"),
        Column("order", "order__number"),
        Column("customer", "user__email"),
        *_same("method", "status", "reason", "currency"),
        _money("amount"),
        _money("captured"),
        _money("refunded"),
        _moment("created_at"),
    ),
    "payments.view_payment",
    "created_at",
    statuses=tuple(PaymentStatus),
)
REFUNDS: Final = Source(
    Refund.objects.all,
    (
        Column("id", "uid"),
        Column("payment", "payment__uid"),
        Column("order", "payment__order__number"),
        Column("customer", "payment__user__email"),
        *_same("status", "currency"),
        _money("amount"),
        *_same("source", "destination", "reason", "failure"),
        Column("made_by", "actor__username"),
        _moment("created_at"),
        _moment("decided_at"),
    ),
    "payments.view_refund",
    "created_at",
    statuses=tuple(RefundStatus),
)
# What an import takes, so that the file goes back in as it came out.
PRODUCTS: Final = Source(
    Product.objects.all,
    (
        *_same("sku", "slug", "name", "description"),
        Column("category", "category__slug"),
        _money("price", "list_price"),
        _number("discount_percent"),
        _moment("discount_starts_at"),
        _moment("discount_ends_at"),
        Column("discount_members_only", "discount_members_only", Cell.FLAG),
    ),
    "shop.view_product",
    grows=False,
)
STOCK: Final = Source(
    Stock.objects.all,
    (
        *(Column(name, f"product__{name}") for name in ("sku", "slug", "name")),
        _number("on_hand"),
        _number("held"),
        _number("available", "left"),
        Column("on_sale", "product__archived_at", Cell.MISSING),
    ),
    "shop.view_stock",
    grows=False,
)
CUSTOMERS: Final = Source(
    lambda: get_user_model().objects.filter(is_staff=False),
    (
        Column("id", "uid"),
        *_same("email", "username", "name"),
        Column("active", "is_active", Cell.FLAG),
        _moment("email_verified_at"),
        _moment("joined_at"),
    ),
    "accounts.view_user",
    "joined_at",
    grows=False,
)
LEDGER: Final = Source(
    Posting.objects.all,
    (
        Column("transfer", "transfer__uid"),
        Column("reference", "transfer__reference"),
        Column("kind", "transfer__kind"),
        Column("about", "transfer__about"),
        Column("account", "account__kind"),
        Column("customer", "account__owner__email"),
        *_same("side", "currency"),
        _money("amount"),
        _moment("created_at", "transfer__created_at"),
    ),
    "accounts.view_transfer",
    "transfer__created_at",
)
EXCHANGE_ORDERS: Final = Source(
    lambda: ExchangeOrder.objects.annotate(dollars=Value(CASH)),
    (
        Column("id", "uid"),
        Column("customer", "user__email"),
        Column("currency", "currency__symbol"),
        _money("amount", currency="currency__symbol"),
        _money("filled", currency="currency__symbol"),
        Column("unit_price_usd", "unit_price", Cell.FINE),
        Column("cost_usd", "cost", Cell.MONEY, "dollars"),
        Column("charged_usd", "charged", Cell.MONEY, "dollars"),
        *_same("status"),
        Column("batch", "batch__uid"),
        _moment("placed_at"),
        _moment("decided_at"),
    ),
    "payments.view_exchangeorder",
    "placed_at",
    statuses=tuple(CoinStatus),
)

SOURCES: Final[dict[str, Source]] = {
    Kind.ORDERS: ORDERS,
    Kind.PAYMENTS: PAYMENTS,
    Kind.REFUNDS: REFUNDS,
    Kind.PRODUCTS: PRODUCTS,
    Kind.STOCK: STOCK,
    Kind.CUSTOMERS: CUSTOMERS,
    Kind.LEDGER: LEDGER,
    Kind.EXCHANGE_ORDERS: EXCHANGE_ORDERS,
}
