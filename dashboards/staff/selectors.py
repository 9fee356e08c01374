"""The staff dashboard as plain values: the page and its JSON are made of the same call.

What was sold comes from the statistics and is kept for some seconds; what staff act on (prices,
stock, reviews, queues) is read each time, so that a change shows at once.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

from django.conf import settings

from common.clock import now
from common.moments import moment_text
from common.money import to_text
from common.outbox import selectors as outbox
from dashboards import store
from dashboards.staff import links, rules
from dashboards.staff.rules import DAY, Granularity, Period, Step
from payments.exchange import selectors as exchange
from payments.intake import selectors as intake
from payments.market import selectors as market
from payments.statistics import selectors as payments
from shop.catalogue import selectors as catalogue
from shop.catalogue.errors import NoSuchProduct
from shop.inventory import selectors as inventory
from shop.statistics import selectors as statistics
from shop.statistics.selectors import Effect, Sold

CURRENCY: Final = "USD"
# Products with a row of their own; the others are summed.
PRODUCTS: Final = 100
SELLERS: Final = 10
LOW: Final = 10
CHANGES: Final = 10
RUNS: Final = 6


def period(since: date | None, until: date | None, granularity: str | None) -> Period:
    """Raises OutOfRange, PeriodReversed, PeriodTooLong, TooManySteps."""
    wanted = Granularity(granularity) if granularity else None
    return rules.period(since, until, wanted, now().date())


def dashboard(wanted: Period) -> dict[str, Any]:
    """The dashboard as its JSON has it; amounts are text, moments in UTC."""
    name = f"staff:{wanted.since}:{wanted.until}:{wanted.granularity}"
    figures, _ = store.kept(name, lambda: _figures(wanted))
    moment = now()
    return {
        "as_of": moment_text(moment),
        "from": wanted.since.isoformat(),
        "to": wanted.until.isoformat(),
        "granularity": wanted.granularity.value,
        "currency": CURRENCY,
        **figures,
        **_products(wanted, figures["sold"]),
        "low_stock": _low_stock(),
        "payments_in_review": _reviews(),
        "price_changes": price_changes(wanted.start, wanted.end, moment),
        "exchange_batches": _batches(wanted),
        "providers": _providers(),
        "health": _health(),
    }


def _figures(wanted: Period) -> dict[str, Any]:
    days = statistics.by_day(since=wanted.since, until=wanted.until)
    back = payments.given_back(since=wanted.since, until=wanted.until)
    revenue, orders = (sum(values) for values in (_of(days, "amount"), _of(days, "orders")))
    average = rules.average(revenue, orders)
    sold = statistics.by_product(since=wanted.since, until=wanted.until)
    return {
        "revenue": _text(revenue),
        "orders": orders,
        "units": sum(_of(days, "units")),
        "average_order_value": None if average is None else _text(average),
        "refunds": {
            "count": sum(_of(back, "refunds")),
            "amount": _text(sum(_of(back, "amount"))),
            "rows": links.refunds(wanted),
        },
        "rows": links.orders_paid(wanted),
        "by_day": _by_step(wanted, days, back),
        "by_method": _by_method(wanted),
        "conversion": _conversion(wanted),
        "flash_runs": _runs(wanted),
        "sold": [_plain(one) for one in sold],
    }


def _of(rows: Iterable[Any], name: str) -> Iterable[int]:
    return (getattr(row, name) for row in rows)


def _plain(one: Sold) -> tuple[int, ...]:
    return (one.product_id, one.orders, one.units, one.amount, one.refunded_units, one.refunded)


def _by_step(wanted: Period, days: Iterable[Any], back: Iterable[Any]) -> list[dict[str, Any]]:
    figures = [
        *((d.day, {"orders": d.orders, "units": d.units, "revenue": d.amount}) for d in days),
        *((d.day, {"refunded": d.amount}) for d in back),
    ]
    return [_step(step, sums) for step, sums in rules.spread(wanted.steps(), figures)]


def _step(step: Step, sums: Mapping[str, int]) -> dict[str, Any]:
    return {
        "day": step.since.isoformat(),
        "to": step.until.isoformat(),
        "revenue": _text(sums.get("revenue", 0)),
        "orders": sums.get("orders", 0),
        "units": sums.get("units", 0),
        "refunded": _text(sums.get("refunded", 0)),
        "rows": links.orders_paid(step),
    }


def _by_method(wanted: Period) -> list[dict[str, Any]]:
    return [
        {
            "method": one.method,
            "orders": one.orders,
            "revenue": _text(one.amount),
            "refunds": one.refunds,
            "refunded": _text(one.refunded),
            "rows": links.payments_of(wanted, one.method),
            "refund_rows": links.refunds(wanted, payment__method__exact=one.method),
        }
        for one in payments.by_method(since=wanted.since, until=wanted.until)
    ]


def _conversion(wanted: Period) -> dict[str, Any]:
    found = statistics.cohort(since=wanted.since, until=wanted.until)
    return {
        "placed": found.placed,
        "paid": found.paid,
        "lapsed": found.lapsed,
        "open": found.open,
        "rate": rules.rate(found.paid, found.paid + found.lapsed),
        "rows": links.orders_placed(wanted),
        "paid_rows": links.orders_placed(wanted, paid_at__isnull=False),
        "lapsed_rows": links.orders_placed(wanted, status__in="cancelled,expired"),
        "open_rows": links.orders_placed(wanted, status__exact="pending_payment"),
    }


def _runs(wanted: Period) -> list[dict[str, Any]]:
    found = statistics.runs_sold(since=wanted.start, until=wanted.end, limit=RUNS)
    return [
        {
            "sale": one.run.sale.slug,
            "run": one.run.number,
            "product": one.run.sale.product.slug,
            "name": one.run.sale.product.name,
            "starts_at": moment_text(one.run.starts_at),
            "ended_at": one.run.ended_at and moment_text(one.run.ended_at),
            "allocation": one.run.allocation,
            "sold": one.sold,
            "held": one.held,
            "curve": [{"purchases": n, "at": moment_text(at)} for n, at in one.curve],
            "rows": links.run(one.run.pk),
        }
        for one in found
    ]


def _products(wanted: Period, sold: list[tuple[int, ...]]) -> dict[str, Any]:
    """What was sold by product, with each one's terms and stock of this moment."""
    figures = {row[0]: Sold(*row) for row in sold}
    by_units = sorted(figures.values(), key=lambda one: (-one.units, one.product_id))
    shown = [Sold(*row) for row in sold[:PRODUCTS]]
    top, last = by_units[:SELLERS], by_units[::-1][: 5 * SELLERS]
    slow = catalogue.products_but(figures, limit=SELLERS)
    rows = catalogue.staff_products({one.product_id for one in (*shown, *top, *last)})
    rows |= {row.pk: row for row in slow}
    slower = [one.product_id for one in last if rows[one.product_id].archived_at is None]
    keys = [*(row.pk for row in slow), *slower][:SELLERS]

    def told(one: Sold) -> dict[str, Any]:
        return {**product_of(rows[one.product_id]), **_sold(wanted, one)}

    rest = [Sold(*row) for row in sold[PRODUCTS:]]
    return {
        "by_product": [told(one) for one in shown],
        "by_product_rest": {
            "products": len(rest),
            "revenue": _text(sum(one.amount + one.refunded for one in rest)),
            "units": sum(one.units + one.refunded_units for one in rest),
        },
        "top_sellers": [told(one) for one in top if one.units > 0],
        "slow_sellers": [told(figures.get(key, Sold(key, 0, 0, 0))) for key in keys],
    }


def _sold(wanted: Period, one: Sold) -> dict[str, Any]:
    return {
        "orders": one.orders,
        "units": one.units + one.refunded_units,
        "revenue": _text(one.amount + one.refunded),
        "refunded_units": one.refunded_units,
        "refunded": _text(one.refunded),
        "rows": links.orders_of_product(wanted, one.product_id),
    }


def product_of(row: Any) -> dict[str, Any]:
    """A product as staff see it in a table."""
    return {
        "product": row.slug,
        "name": row.name,
        "list_price": to_text(row.list_price, row.currency),
        "discount_percent": row.discount_percent,
        "available": row.stock.available,
        "page": links.product(row.pk),
    }


def product_find(slug: str) -> Any | None:
    """One product with its stock, archived or not; None where there is none."""
    try:
        return catalogue.staff_product_get(slug)
    except NoSuchProduct:
        return None


def product_figures(wanted: Period, row: Any) -> dict[str, Any]:
    """What a table says of a product, for one that may be in none of them."""
    sold = statistics.by_product(since=wanted.since, until=wanted.until, product_id=row.pk)
    return {**product_of(row), **_sold(wanted, (sold or [Sold(row.pk, 0, 0, 0)])[0])}


def product_changes(product_id: int, as_of: str) -> list[dict[str, Any]]:
    """The newest changes of its price, whatever the period."""
    moment = datetime.fromisoformat(as_of)
    first = datetime.min.replace(tzinfo=UTC)
    return price_changes(first, moment + DAY, moment, product_id=product_id)


def _low_stock() -> dict[str, Any]:
    rows, count = inventory.low(limit=LOW)
    return {
        "count": count,
        "threshold": settings.LOW_STOCK_THRESHOLD,
        "products": [
            {
                "product": row.product.slug,
                "name": row.product.name,
                "on_hand": row.on_hand,
                "held": row.held,
                "available": row.available,
            }
            for row in rows
        ],
        "rows": links.low_stock(),
    }


def _reviews() -> dict[str, Any]:
    reasons = intake.reviews()
    return {
        "count": sum(count for _, count in reasons),
        "reasons": [
            {"reason": reason, "count": count, "rows": links.reviews(reason)}
            for reason, count in reasons
        ],
        "rows": links.reviews(),
    }


def price_changes(
    since: datetime, until: datetime, moment: datetime, *, product_id: int | None = None
) -> list[dict[str, Any]]:
    """The newest changes of that time, with units a day before and after each."""
    steps = catalogue.price_steps(since=since, until=until, limit=CHANGES, product_id=product_id)
    return [_change(effect) for effect in statistics.effects(steps, now=moment)]


def _change(effect: Effect) -> dict[str, Any]:
    change, product = effect.step.change, effect.step.change.product
    return {
        "product": product.slug,
        "name": product.name,
        "changed_at": moment_text(change.changed_at),
        "by": change.actor.email if change.actor else None,
        "old": _terms(effect.step.before, product.currency),
        "new": _terms(change, product.currency),
        "before": _stretch(effect.before),
        "after": _stretch(effect.after),
        "rows": links.product(product.pk),
    }


def _terms(change: Any, currency: str) -> dict[str, Any]:
    return {
        "list_price": to_text(change.list_price, currency),
        "discount_percent": change.discount_percent,
        "price": to_text(change.price, currency),
        "member_price": to_text(change.member_price, currency),
    }


def _stretch(found: Any) -> dict[str, Any]:
    return {
        "units": found.units,
        "days": format(found.days, "f"),
        "units_per_day": None if found.per_day is None else format(found.per_day, "f"),
    }


def _batches(wanted: Period) -> list[dict[str, Any]]:
    ended = {"settled", "failed"}
    return [
        {
            "state": state,
            "count": count,
            "rows": links.batches(state, *((wanted.start, wanted.end) if state in ended else ())),
        }
        for state, count in exchange.batch_states(since=wanted.start, until=wanted.end)
    ]


def _providers() -> list[dict[str, Any]]:
    return [
        {
            "provider": one.provider,
            "open_until": one.open_until and moment_text(one.open_until),
            "reason": one.reason,
            "budgets": [
                {
                    "window": left.window,
                    "limit": left.limit,
                    "used": left.used,
                    "left": left.left,
                    "resets_at": moment_text(left.resets_at),
                }
                for left in one.budgets
            ],
            "rows": links.providers(),
        }
        for one in market.providers()
    ]


def _health() -> dict[str, Any]:
    """Figures are counted by a worker every 20 seconds: their age is how long it has been away."""
    owed = outbox.owed()
    sales, money = statistics.counted_until(), statistics.counted_until(payments.PAYMENTS.name)
    return {
        "sales_counted_until": sales and moment_text(sales),
        "payments_counted_until": money and moment_text(money),
        "outbox": {
            "waiting": owed.waiting,
            "overdue": owed.overdue,
            "failing": owed.failing,
            "oldest": owed.oldest and moment_text(owed.oldest),
            "rows": links.outbox("open"),
            "overdue_rows": links.outbox("overdue"),
            "failing_rows": links.outbox("failing"),
        },
    }


def _text(minor: int) -> str:
    return to_text(minor, CURRENCY)
