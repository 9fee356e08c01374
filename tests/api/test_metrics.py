"""What Prometheus reads, and who may read it."""

import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, connection
from django.db.models import F
from django.db.models.functions import Now
from django.test import Client

from common import clock, metrics
from common.outbox.models import OutboxMessage
from config.metrics import figures, rounds, workers
from config.tasks import pulse
from payments.crypto.models import Scan
from payments.exchange.models import ExchangeBatch, ExchangeCurrency
from payments.exchange.rules import BatchState
from shop.models import StockHold
from shop.statistics.models import SalesMark
from tests.factories.events import stored_event
from tests.factories.flash import live_run
from tests.factories.orders import place
from tests.factories.shop import ProductFactory

pytestmark = pytest.mark.django_db


def scrape(**headers: str) -> str:
    answer = Client().get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


def value(text: str, name: str, **labels: str) -> float | None:
    """Of the one series that has at least these labels."""
    for line in text.splitlines():
        found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
        if found and found[1] == name:
            own = dict(re.findall(r'(\w+)="([^"]*)"', found[2] or ""))
            if labels.items() <= own.items():
                return float(found[3])
    return None


def grown(name: str, before: str, **labels: str) -> float:
    return (value(scrape(), name, **labels) or 0) - (value(before, name, **labels) or 0)


def holds_of_the_past(stock_id: int, count: int) -> None:
    """As orders leave them; without orders, which no query here reads."""
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION foreign_key_checks = 0, cte_max_recursion_depth = 100000")
        cursor.execute(
            "INSERT INTO shop_stockhold (stock_id, order_line_id, quantity, released_at, outcome) "
            "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < %s) "
            "SELECT %s, 1000000 + i, 1, NOW(6), 'sold' FROM n",
            [count, stock_id],
        )
        cursor.execute("SET SESSION foreign_key_checks = 1")


def rows_read(work: Callable[[], object]) -> int:
    before = _read()
    work()
    return _read() - before


def _read() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
        return sum(int(row[1]) for row in cursor.fetchall())


class TestWhoMayRead:
    def test_a_neighbour_may(self) -> None:
        assert "souk_database_up 1.0" in scrape()

    @pytest.mark.parametrize(
        "headers",
        [{"X-Forwarded-For": "10.0.0.1"}, {"X-Forwarded-For": ""}],
        ids=["by a proxy", "by a proxy that says nothing"],
    )
    def test_who_comes_by_a_proxy_may_not(self, headers: dict[str, str]) -> None:
        assert Client().get("/metrics", headers=headers).status_code == 404

    def test_a_stranger_may_not(self) -> None:
        assert Client(REMOTE_ADDR="203.0.113.7").get("/metrics").status_code == 404

    def test_with_a_token_only_who_has_it_may(self, settings: Any) -> None:
        settings.METRICS_TOKEN = "a-token-of-the-tests"
        assert Client().get("/metrics").status_code == 404
        wrong = {"Authorization": "Bearer another"}
        assert Client().get("/metrics", headers=wrong).status_code == 404
        far = Client(REMOTE_ADDR="203.0.113.7")
        right = {"Authorization": "Bearer a-token-of-the-tests"}
        assert far.get("/metrics", headers=right).status_code == 200


class TestWhatIsCounted:
    def test_a_request_by_its_route_and_never_by_its_path(self) -> None:
        slug, before = ProductFactory().slug, scrape()
        Client().get(f"/api/v1/products/{slug}/")
        labels = {"route": "/api/v1/products/<slug:slug>/", "method": "GET", "status": "200"}
        assert grown("souk_request_seconds_count", before, **labels) == 1
        assert slug not in scrape()

    def test_a_call_to_stripe_by_its_outcome(self, api: Any, sandbox: Any) -> None:
        before = scrape()
        place(api, (ProductFactory(stock=1).slug, 1))
        assert grown("souk_provider_seconds_count", before, provider="stripe", outcome="ok") > 0

    def test_a_task_of_the_outbox_by_its_outcome(self, drain: Any) -> None:
        before = scrape()
        OutboxMessage.objects.create(task="payments.stripe.sync_intent", payload={"payment_id": 1})
        with pytest.raises(ObjectDoesNotExist):
            drain()
        labels = {"task": "payments.stripe.sync_intent", "outcome": "failed"}
        assert grown("souk_task_seconds_count", before, **labels) == 1

    def test_how_long_a_task_waited_for_its_worker(self) -> None:
        before, headers = scrape(), {}
        workers.note_sent(headers=headers)
        pulse.push_request(delivery_info={"routing_key": "mail"}, **headers)
        workers.note_start(task=pulse)
        workers.note_end(task=pulse, state="SUCCESS")
        pulse.pop_request()
        assert grown("souk_queue_wait_seconds_count", before, queue="mail") == 1
        assert grown("souk_task_seconds_count", before, task="config.pulse", outcome="done") == 1


class TestTheShopAsItIs:
    def test_holds_and_stock(self, api: Any, sandbox: Any) -> None:
        before = scrape()
        place(api, (ProductFactory(stock=7).slug, 2))
        assert grown("souk_held_units", before) == 2
        assert grown("souk_holds", before) == 1
        assert grown("souk_stock_available", before) == 5

    @pytest.mark.usefixtures("real_mysql")
    def test_holds_of_the_past_are_not_read(self) -> None:
        product, now = ProductFactory(stock=7), clock.now()
        holds_of_the_past(product.pk, 3000)
        assert rows_read(lambda: list(figures.stock(now))) < 1000
        # Control: what is asked without the stock.
        live = StockHold.objects.filter(released_at=None)
        assert rows_read(live.count) > 3000

    def test_units_of_an_open_run(self) -> None:
        run = live_run(units=9)
        assert value(scrape(), "souk_run_units", sale=run.sale.slug, state="free") == 9

    def test_the_age_of_the_outbox(self) -> None:
        message = OutboxMessage.objects.create(task="payments.stripe.sync_intent")
        late = Now() - timedelta(minutes=2)
        OutboxMessage.objects.filter(pk=message.pk).update(next_attempt_at=late)
        text = scrape()
        assert value(text, "souk_outbox_due") == 1
        assert 119 < (value(text, "souk_outbox_age_seconds") or 0) < 130

    def test_the_lag_of_webhooks(self) -> None:
        assert value(scrape(), "souk_webhook_lag_seconds") == 0
        event = stored_event("payment_intent.succeeded", {"id": "pi_1"})
        type(event).objects.update(received_at=F("received_at") - timedelta(minutes=1))
        assert 59 < (value(scrape(), "souk_webhook_lag_seconds") or 0) < 70

    def test_breaches_that_the_last_check_found(self) -> None:
        assert value(scrape(), "souk_invariant_breaches") is None
        rounds.breaches_found(3)
        assert value(scrape(), "souk_invariant_breaches") == 3

    def test_the_age_of_a_queue(self) -> None:
        assert value(scrape(), "souk_queue_age_seconds", queue="mail") is None
        current_app.tasks["config.pulse"](queue="mail")
        assert 0 <= (value(scrape(), "souk_queue_age_seconds", queue="mail") or 0) < 10

    def test_budgets_of_providers(self, settings: Any) -> None:
        settings.MARKET_PROVIDERS = ["coingecko"]
        left = value(scrape(), "souk_provider_budget_left", provider="coingecko", window="month")
        assert left == settings.MARKET_LIMITS["coingecko"]["month"]

    def test_how_long_ago_the_chain_was_looked_at(self) -> None:
        Scan.objects.create(chain_id=settings.CHAIN_ID, number=1, hash="0x" + "1" * 64)
        Scan.objects.update(read_at=Now() - timedelta(minutes=5))
        assert 299 < (value(scrape(), "souk_coin_scan_age_seconds") or 0) < 310
        # No new block, and yet somebody is there.
        Scan.objects.update(balances_at=Now() - timedelta(seconds=9))
        assert 8 < (value(scrape(), "souk_coin_scan_age_seconds") or 0) < 20

    def test_a_shop_that_takes_no_coins_has_no_figure_of_them(self, settings: Any) -> None:
        settings.CHAIN_XPUB = ""
        assert value(scrape(), "souk_coin_refunds_waiting") is None

    def test_a_full_batch_waits_and_a_settled_one_does_not(self) -> None:
        currency = ExchangeCurrency.objects.create(symbol="WAIT", name="Wait", price=10**18)
        assert value(scrape(), "souk_exchange_batches_waiting") == 0
        sealed = Now() - timedelta(minutes=3)
        full = {"currency": currency, "members": 1, "units": 1, "cost": 1, "sealed_at": sealed}
        batch = ExchangeBatch.objects.create(state=BatchState.SEALED, **full)
        assert 179 < (value(scrape(), "souk_exchange_wait_seconds") or 0) < 190
        ExchangeBatch.objects.filter(pk=batch.pk).update(
            state=BatchState.SETTLED, decided_at=Now(), ended_at=Now()
        )
        assert value(scrape(), "souk_exchange_batches_waiting") == 0

    def test_when_sales_were_counted(self) -> None:
        current_app.tasks["shop.statistics.count"]()
        assert 0 <= (value(scrape(), "souk_statistics_lag_seconds") or 99) < 10
        SalesMark.objects.update(counted_until=Now() - timedelta(minutes=2))
        assert 119 < (value(scrape(), "souk_statistics_lag_seconds") or 0) < 130

    def test_without_a_database_it_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def away() -> Iterator[None]:
            raise DatabaseError

        monkeypatch.setattr(figures.clock, "now", away)
        text = scrape()
        assert value(text, "souk_database_up") == 0
        assert value(text, "souk_outbox_due") is None


def test_the_probe_tells_of_queues_and_does_not_fail_for_them() -> None:
    answer = Client().get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["checks"]["queues"]["payments"] is None
    rounds.came_around("payments", time.time() - 5)
    assert 5 <= Client().get("/readyz").json()["checks"]["queues"]["payments"] < 9


def test_figures_are_served_as_prometheus_wants_them() -> None:
    answer = Client().get("/metrics")
    assert answer["Content-Type"] == metrics.CONTENT_TYPE
    assert "# TYPE souk_request_seconds histogram" in answer.content.decode()
