"""How orders were paid, and refunds: from sums by day, and from the rows that these must equal."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import TruncHour

from payments.intake.models import Payment, PaymentEvent, Refund
from payments.intake.rules import RefundStatus, Source, Status
from payments.statistics.models import MethodDay, MethodHour
from shop.orders.models import Order
from shop.statistics.selectors import Book, Row, Shelf, Spot


@dataclass(frozen=True, slots=True)
class Paid:
    """Orders that were bought one way, and refunds of sales that went back that way."""

    method: str
    orders: int
    amount: int
    refunds: int
    refunded: int


@dataclass(frozen=True, slots=True)
class GivenBack:
    """Refunds of sales that were decided on a day."""

    day: date
    refunds: int
    amount: int


def by_method(*, since: date, until: date) -> list[Paid]:
    """On these days, both ends included, the way with the largest sum first."""
    rows = _days(since, until).values_list("method")
    sums = rows.annotate(Sum("orders"), Sum("amount"), Sum("refunds"), Sum("refunded"))
    found = [Paid(method, *(int(value) for value in row)) for method, *row in sums]
    return sorted(found, key=lambda one: (-one.amount, one.method))


def given_back(*, since: date, until: date) -> list[GivenBack]:
    """Days with refunds, both ends included, in order."""
    rows = _days(since, until).filter(refunds__gt=0).values_list("day")
    sums = rows.annotate(Sum("refunds"), Sum("refunded")).order_by("day")
    return [GivenBack(day, int(count), int(amount)) for day, count, amount in sums]


def _days(since: date, until: date) -> QuerySet[MethodDay]:
    return MethodDay.objects.filter(day__gte=since, day__lte=until).order_by()


def bought() -> QuerySet[Payment]:
    """The payments that have bought their orders: one of each, whatever became of it since."""
    succeeded = PaymentEvent.objects.filter(payment=OuterRef("pk"), kind=Status.SUCCEEDED)
    # Looked for only where the status does not say it: most payments have theirs to the end.
    later = Q(status__in=[Status.REFUNDED, Status.REVIEW, Status.REVERSED])
    return Payment.objects.filter(
        Q(status=Status.SUCCEEDED) | later & Exists(succeeded), order__paid_at__isnull=False
    )


def methods(since: datetime, until: datetime) -> dict[Spot, Row]:
    """By hour and method: orders and what they came to, refunds of sales and their sum."""
    found: dict[Spot, list[int]] = {}
    for place, rows in ((0, _paid(since, until)), (2, _refunded(since, until))):
        for hour, method, *row in rows:
            found.setdefault((hour, method), [0, 0, 0, 0])[place : place + 2] = map(int, row)
    return {spot: tuple(row) for spot, row in found.items()}


def _paid(since: datetime, until: datetime) -> Any:
    rows = bought().filter(order__paid_at__gte=since, order__paid_at__lt=until).order_by()
    rows = rows.values_list(TruncHour("order__paid_at"), "method")
    return rows.annotate(Count("pk"), Sum("order__total"))


def _refunded(since: datetime, until: datetime) -> Any:
    rows = Refund.objects.filter(
        status=RefundStatus.SUCCEEDED,
        source=Source.SALE,
        decided_at__gte=since,
        decided_at__lt=until,
    )
    rows = rows.order_by().values_list(TruncHour("decided_at"), "payment__method")
    return rows.annotate(Count("pk"), Sum("amount"))


METHODS: Final = Shelf(
    "methods",
    MethodHour,
    MethodDay,
    ("orders", "amount", "refunds", "refunded"),
    methods,
    key="method",
)
# Neither how an order was paid nor when a refund was decided changes later.
PAYMENTS: Final = Book("payments", (METHODS,), ((Order, "paid_at"), (Refund, "decided_at")))
