"""Where in the admin the rows are that a figure counts: paths with a query. Pure, but for names."""

from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from dashboards.staff.rules import DAY, Period, Step


def _list(model: str, **query: Any) -> str:
    path = reverse(f"admin:{model}_changelist")
    return f"{path}?{urlencode(query)}" if query else path


def _during(column: str, days: Period | Step) -> dict[str, str]:
    return {
        f"{column}__gte": _midnight(days.since),
        f"{column}__lt": _midnight(days.until + DAY),
    }


def _midnight(day: date) -> str:
    # With its zone: without one, Django would warn of a naive moment.
    return f"{day.isoformat()}T00:00:00Z"


def orders_paid(days: Period | Step, **more: Any) -> str:
    return _list("shop_order", **_during("paid_at", days), **more)


def orders_of_product(days: Period | Step, product_id: int) -> str:
    return orders_paid(days, lines__product__id__exact=product_id)


def orders_placed(days: Period | Step, **more: Any) -> str:
    return _list("shop_order", **_during("placed_at", days), **more)


def payments_of(days: Period | Step, method: str) -> str:
    """The payments that bought the orders of these days."""
    return _list(
        "payments_payment",
        method__exact=method,
        events__kind__exact="succeeded",
        **_during("order__paid_at", days),
    )


def refunds(days: Period | Step, **more: Any) -> str:
    """Of sales, decided on these days."""
    return _list(
        "payments_refund",
        status__exact="succeeded",
        source__exact="sale",
        **_during("decided_at", days),
        **more,
    )


def reviews(reason: str = "") -> str:
    more = {"reason__exact": reason} if reason else {}
    return _list("payments_payment", status__exact="review", **more)


def low_stock() -> str:
    return _list("shop_stock", level="low", product__archived_at__isnull=True)


def run(run_id: int) -> str:
    return reverse("admin:shop_flashrun_change", args=[run_id])


def product(product_id: int) -> str:
    return reverse("admin:shop_product_change", args=[product_id])


def batches(state: str, since: datetime | None = None, until: datetime | None = None) -> str:
    more = {} if since is None else {"opened_at__gte": _zulu(since), "opened_at__lt": _zulu(until)}
    return _list("payments_exchangebatch", state__exact=state, members__gt=0, **more)


def _zulu(moment: datetime | None) -> str:
    return "" if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def providers() -> str:
    return _list("payments_providerstate")


def outbox(state: str) -> str:
    return _list("common_outboxmessage", state=state)
