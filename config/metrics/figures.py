"""The state of the shop, read when it is asked for: a dozen short queries by index.

Every web replica tells the same; a dashboard takes the largest, not the sum.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError
from django.db.models import Count, Min, Q, Sum
from prometheus_client.core import GaugeMetricFamily, Metric

from common import clock, replicas
from common.outbox import broker
from common.outbox.models import OutboxMessage
from config.metrics import rounds
from payments.crypto import selectors as crypto
from payments.crypto.models import CoinRefund
from payments.exchange.models import ExchangeBatch
from payments.exchange.rules import BatchState
from payments.intake.models import Payment
from payments.intake.rules import Status
from payments.market import selectors as market
from payments.stripe.models import WebhookEvent
from shop.flash_sales.models import FlashRun
from shop.flash_sales.rules import UnitState
from shop.inventory.models import Stock, StockHold
from shop.statistics.models import SalesMark

Figures = Iterator[Metric]


class Shop:
    """A collector of prometheus-client; `souk_database_up` is 0 where nothing could be read."""

    def collect(self) -> Figures:
        found: list[Metric] = []
        with suppress(DatabaseError):
            now = clock.now()
            for part in PARTS:
                found += part(now)
        up = len(found) > 0
        yield _gauge("database_up", "Whether the database answered this scrape", int(up))
        yield from found
        yield from queues()


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"souk_{name}", text, value=value)


def _gauges(name: str, text: str, labels: tuple[str, ...]) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"souk_{name}", text, labels=labels)


def outbox(now: datetime) -> Figures:
    open_ones = OutboxMessage.objects.filter(done_at=None)
    due = open_ones.filter(next_attempt_at__lte=now).aggregate(n=Count("pk"), at=_oldest())
    yield _gauge("outbox_due", "Messages that wait for a worker", due["n"])
    yield _gauge("outbox_age_seconds", "How late the oldest of them is", _age(due["at"], now))
    failing = open_ones.exclude(last_error="").count()
    yield _gauge("outbox_failing", "Messages whose last attempt failed", failing)


def _oldest() -> Any:
    return Min("next_attempt_at")


def _age(moment: datetime | None, now: datetime) -> float:
    return max(0.0, (now - moment).total_seconds()) if moment else 0.0


def webhooks(now: datetime) -> Figures:
    waiting = WebhookEvent.objects.filter(state=WebhookEvent.State.RECEIVED)
    found = waiting.aggregate(n=Count("pk"), at=Min("received_at"))
    yield _gauge("webhooks_waiting", "Events received and not yet understood", found["n"])
    yield _gauge("webhook_lag_seconds", "Age of the oldest of them", _age(found["at"], now))


def stock(_now: datetime) -> Figures:
    # By the few products that have holds: all holds there ever were would be read otherwise.
    held = StockHold.objects.filter(released_at=None, stock__held__gt=0)
    yield _gauge("holds", "Live holds on stock", held.count())
    sold = Q(product__archived_at=None)
    found = Stock.objects.aggregate(
        units=Sum("held"),
        available=Sum("left", filter=sold),
        low=Count("pk", filter=sold & Q(left__lte=settings.LOW_STOCK_THRESHOLD)),
        out=Count("pk", filter=sold & Q(left=0)),
    )
    yield _gauge("held_units", "Units in them", found["units"] or 0)
    yield _gauge("stock_available", "Units that can be ordered", found["available"] or 0)
    yield _gauge("products_low", "Products with few units left, or none", found["low"])
    yield _gauge("products_out", "Products with none left", found["out"])


def runs(now: datetime) -> Figures:
    """Units of the flash runs that are open: as many series as sales are on."""
    units = _gauges("run_units", "Units of open flash runs, by state", ("sale", "state"))
    live = FlashRun.objects.filter(ended_at=None, starts_at__lte=now).order_by("pk")
    columns = [Count("units", filter=Q(units__state=state)) for state in UnitState]
    named = {f"n_{state}": column for state, column in zip(UnitState, columns, strict=True)}
    for row in live.annotate(**named).values("sale__slug", *named):
        for state in UnitState:
            units.add_metric([row["sale__slug"], state], row[f"n_{state}"])
    yield units


def reviews(_now: datetime) -> Figures:
    count = Payment.objects.filter(status=Status.REVIEW).count()
    yield _gauge("payments_in_review", "Payments that staff have to decide on", count)


def budgets(_now: datetime) -> Figures:
    left = _gauges("provider_budget_left", "Calls or credits left", ("provider", "window"))
    shut = _gauges("provider_shut", "1 while a provider is not asked", ("provider",))
    for provider in market.providers():
        shut.add_metric([provider.provider], int(provider.open_until is not None))
        for budget in provider.budgets:
            if budget.left is not None:
                left.add_metric([provider.provider, budget.window], budget.left)
    yield left
    yield shut


def coins(now: datetime) -> Figures:
    """Nothing where no coins are taken."""
    if not settings.CHAIN_XPUB:
        return
    scan = crypto.scan()
    if scan is not None:
        # A chain without new blocks is looked at all the same, for balances.
        looked = max(scan.read_at, scan.balances_at or scan.read_at)
        yield _gauge("coin_scan_age_seconds", "Since the chain was looked at", _age(looked, now))
    waiting = CoinRefund.objects.filter(done_at=None, failed=False).count()
    yield _gauge("coin_refunds_waiting", "Refunds in coins that are not through", waiting)


def exchange(now: datetime) -> Figures:
    waiting = ExchangeBatch.objects.filter(state__in=[BatchState.SEALED, BatchState.DECIDED])
    found = waiting.aggregate(n=Count("pk"), at=Min("sealed_at"))
    yield _gauge("exchange_batches_waiting", "Batches that are full and not settled", found["n"])
    yield _gauge("exchange_wait_seconds", "How long the oldest is", _age(found["at"], now))


def counted(now: datetime) -> Figures:
    until = SalesMark.objects.aggregate(at=Min("counted_until"))["at"]
    if until is not None:
        lag = _age(until, now)
        yield _gauge("statistics_lag_seconds", "Since sales and payments were counted", lag)


def checked(_now: datetime) -> Figures:
    """What the last round of invariants found, whoever ran it; nothing until there was one."""
    found = rounds.breaches_known()
    if found is not None:
        yield _gauge("invariant_breaches", "Breaches that the last check found", found.count)
        yield _gauge("invariants_checked", "When that was, in seconds since 1970", found.at)


def replica(_now: datetime) -> Figures:
    if replicas.is_configured():
        lag = replicas.lag_seconds()
        yield _gauge("replica_up", "Whether reads may go to the replica", int(replicas.is_fresh()))
        if lag is not None:
            yield _gauge("replica_lag_seconds", "How far it is behind", lag)


PARTS: Final[tuple[Callable[[datetime], Figures], ...]] = (
    outbox,
    webhooks,
    stock,
    runs,
    reviews,
    budgets,
    coins,
    exchange,
    counted,
    checked,
    replica,
)


def queues() -> Figures:
    """The broker's queues: how many wait, and how long ago what last came out went in."""
    length = _gauges("queue_length", "Tasks in the broker", ("queue",))
    age = _gauges("queue_age_seconds", "Since the newest that came out was sent", ("queue",))
    for queue, waiting in broker.lengths(settings.QUEUES).items():
        length.add_metric([queue], waiting)
    for queue in settings.QUEUES:
        seconds = rounds.age(queue)
        if seconds is not None:
            age.add_metric([queue], seconds)
    yield length
    yield age
