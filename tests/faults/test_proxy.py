"""MySQL and Stripe behind a network that goes wrong, with the controls that lack the guards."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection, connections
from django.db.models import Sum
from django.db.models.functions import Now

from common.idempotency.models import IdempotencyRecord
from common.idempotency.services import CLAIM_LAPSES
from common.outbox.models import OutboxMessage
from config import invariants
from config.settings.servers import mysql
from payments.sandbox.stripe import StripeSandbox
from payments.stripe import services as stripe
from payments.stripe.models import StripeIntent
from shop.inventory.models import Stock
from shop.models import Order
from tests.factories.shop import ProductFactory
from tests.factories.users import UserFactory, client_for
from tests.faults.proxy import NORMAL, Fault, Kind, Proxy, timed
from tests.races.parallel import post_order, quiet
from tests.sizes import LOOSE

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(900),
    # Each order would try a Stripe that is not there for half a second.
    pytest.mark.usefixtures("sandbox"),
]

# Of the tests alone; the shop's own is 30 seconds.
READ_TIMEOUT = 1
# Generous: a request gives up at its first statement that is not answered.
SILENT_BOUND = 3 * READ_TIMEOUT
# In capitals, as the client sends it: "autocommit" is none.
COMMIT = b"COMMIT"
KEY = {"Idempotency-Key": "once"}


@contextmanager
def mysql_through_proxy(monkeypatch: pytest.MonkeyPatch, **options: Any) -> Iterator[Proxy]:
    """This thread's connection goes through a proxy, readable: without TLS."""
    known = connection.settings_dict
    own = {**known["OPTIONS"], "read_timeout": READ_TIMEOUT, "ssl_mode": "DISABLED", **options}
    connection.close()
    with Proxy(known["HOST"], int(known["PORT"])) as proxy, monkeypatch.context() as patch:
        patch.setitem(known, "HOST", "127.0.0.1")
        patch.setitem(known, "PORT", proxy.port)
        patch.setitem(known, "OPTIONS", own)
        try:
            yield proxy
        finally:
            connection.close()


def is_clean(answer: Any) -> bool:
    """A success, or a problem document that asks to come again."""
    if answer.status_code in (200, 201, 202):
        return True
    assert answer.status_code in (409, 503), answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert b"Traceback" not in answer.content
    return int(answer.headers["Retry-After"]) >= 1


def order_through(
    monkeypatch: pytest.MonkeyPatch, fault: Fault, **headers: str
) -> tuple[int, Any, Any]:
    """Order with the fault, and again after it; how often it was met, and both answers."""
    product = ProductFactory(stock=5)
    client = quiet(client_for(UserFactory()))
    with mysql_through_proxy(monkeypatch) as proxy:
        connection.ensure_connection()
        proxy.set(fault)
        first = post_order(client, {product.slug: 1}, **headers)
        hits = proxy.hits
        proxy.set(NORMAL)
        connection.close()
        again = post_order(client, {product.slug: 1}, **headers)
    return hits, first, again


def lost_at_each(monkeypatch: pytest.MonkeyPatch, kind: Kind, request: bytes) -> Counter[int]:
    """The fault at the first such statement of an order, at the second, until there is none."""
    answers: Counter[int] = Counter()
    for nth in range(1, 60):
        before = Order.objects.count()
        hits, first, again = order_through(
            monkeypatch, Fault(kind, request=request, nth=nth), **KEY
        )
        answers[first.status_code] += 1
        assert is_clean(first)
        assert again.status_code == 201, again.content
        assert Order.objects.count() == before + 1
        assert invariants.breaches() == []
        if hits < nth:
            return answers
    raise AssertionError("no end")


def left_by_an_order(
    monkeypatch: pytest.MonkeyPatch, fault: Fault, **headers: str
) -> tuple[Callable[[], Any], list[str], int]:
    """An order answered 503; how to place it again, what its keys and how many orders are left."""
    product = ProductFactory(stock=5)
    client = quiet(client_for(UserFactory()))
    with mysql_through_proxy(monkeypatch) as proxy:
        connection.ensure_connection()
        proxy.set(fault)
        lost = post_order(client, {product.slug: 1}, **headers)
        assert (proxy.hits >= fault.nth, lost.status_code) == (True, 503)
        assert is_clean(lost)
    states = list(IdempotencyRecord.objects.values_list("state", flat=True))
    again = partial(post_order, client, {product.slug: 1}, **headers)
    return again, states, Order.objects.count()


def held() -> int:
    return int(Stock.objects.aggregate(Sum("held"))["held__sum"])


# What commits the claim of a key, which is one statement, and the order; and what is left then:
# keys and orders.
CLAIM, ORDER = b"INSERT INTO `common_idempotencyrecord`", COMMIT
LOST_COMMITS = [
    pytest.param(CLAIM, Kind.RESET, [], 0, id="claim-not-committed"),
    pytest.param(CLAIM, Kind.RESET_AFTER, ["running"], 0, id="claim-committed"),
    pytest.param(ORDER, Kind.RESET, [], 0, id="order-not-committed"),
    pytest.param(ORDER, Kind.RESET_AFTER, ["done"], 1, id="order-committed"),
]


@pytest.mark.proof(
    "The connection to MySQL is reset before or after a COMMIT",
    size="the claim's and the order's",
    control="test_control_without_a_key_the_retry_makes_a_second_order",
)
@pytest.mark.parametrize(("request_", "kind", "keys", "orders"), LOST_COMMITS)
def test_a_commit_of_unknown_outcome_makes_one_order(
    monkeypatch: pytest.MonkeyPatch, request_: bytes, kind: Kind, keys: list[str], orders: int
) -> None:
    again, *left = left_by_an_order(monkeypatch, Fault(kind, request=request_), **KEY)
    assert left == [keys, orders]
    IdempotencyRecord.objects.update(claimed_at=Now() - CLAIM_LAPSES - timedelta(seconds=1))
    placed, replayed = again(), again()
    assert (placed.status_code, replayed.status_code) == (201, 201)
    assert placed.headers.get("Idempotent-Replayed") == ("true" if orders else None)
    assert placed.json()["number"] == replayed.json()["number"] == Order.objects.get().number
    assert held() == 1
    assert invariants.breaches() == []


def test_control_without_a_key_the_retry_makes_a_second_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fault = Fault(Kind.RESET_AFTER, request=COMMIT)
    again, *left = left_by_an_order(monkeypatch, fault)
    assert left == [[], 1]
    assert again().status_code == 201
    assert (Order.objects.count(), held()) == (2, 2)


def test_control_a_claim_that_has_not_lapsed_keeps_its_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fault = Fault(Kind.RESET_AFTER, request=CLAIM)
    again, *_ = left_by_an_order(monkeypatch, fault, **KEY)
    refused = again()
    assert is_clean(refused)
    assert refused.json()["code"] == "idempotency_key_in_use"
    assert Order.objects.count() == 0


def test_a_reset_in_the_middle_of_a_transaction_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = lost_at_each(monkeypatch, Kind.RESET, b"INSERT INTO")
    assert answers[503] >= 3


@pytest.mark.proof(
    "MySQL falls silent",
    size="1 request",
    control="test_control_without_a_read_timeout_the_request_waits_for_mysql",
)
@pytest.mark.parametrize("kind", [Kind.DROP, Kind.HALF_OPEN])
def test_a_silent_mysql_is_a_503_in_time(monkeypatch: pytest.MonkeyPatch, kind: Kind) -> None:
    product = ProductFactory(stock=5)
    client = quiet(client_for(UserFactory()))
    with mysql_through_proxy(monkeypatch) as proxy:
        connection.ensure_connection()
        proxy.set(Fault(kind))
        first, took = timed(lambda: post_order(client, {product.slug: 1}, **KEY))
    print(f"{kind.name}: {took:.1f} s")
    assert first.status_code == 503
    assert is_clean(first)
    assert took < SILENT_BOUND * LOOSE
    assert post_order(client, {product.slug: 1}, **KEY).status_code == 201
    assert Order.objects.count() == 1
    assert invariants.breaches() == []


@pytest.mark.parametrize("kind", [Kind.DROP, Kind.HALF_OPEN])
def test_control_without_a_read_timeout_the_request_waits_for_mysql(
    monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    product = ProductFactory(stock=5)
    client = quiet(client_for(UserFactory()))
    with (
        mysql_through_proxy(monkeypatch, read_timeout=0) as proxy,
        ThreadPoolExecutor(1) as pool,
    ):
        pool.submit(lambda: connection.ensure_connection()).result()
        proxy.set(Fault(kind))
        waiting = pool.submit(post_order, client, {product.slug: 1}, **KEY)
        with pytest.raises(TimeoutError):
            waiting.result(SILENT_BOUND)
        # Its connection ends, and with it the wait.
        proxy.set(Fault(Kind.RESET))
        assert waiting.result(10 * LOOSE).status_code == 503
        pool.submit(connections.close_all).result()


def slow_catalogue(monkeypatch: pytest.MonkeyPatch, **options: Any) -> tuple[Any, float]:
    """The catalogue from a MySQL slower than READ_TIMEOUT; the answer and its seconds."""
    client = quiet(client_for(UserFactory()))
    with mysql_through_proxy(monkeypatch, **options) as proxy:
        connection.ensure_connection()
        proxy.set(Fault(Kind.DELAY, seconds=0.7))
        return timed(lambda: client.get("/api/v1/products/"))


def test_a_slow_mysql_is_a_503_too(monkeypatch: pytest.MonkeyPatch) -> None:
    answer, _ = slow_catalogue(monkeypatch)
    assert answer.status_code == 503
    assert is_clean(answer)


def test_control_without_a_read_timeout_a_slow_mysql_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer, took = slow_catalogue(monkeypatch, read_timeout=0)
    assert answer.status_code == 200
    assert took > READ_TIMEOUT


def test_mysql_is_not_waited_for_without_end_and_longer_than_for_a_lock() -> None:
    options = mysql("mysql://a:b@127.0.0.1/c")["OPTIONS"]
    assert 0 < options["connect_timeout"] <= 10
    assert min(options["read_timeout"], options["write_timeout"]) > 10


@pytest.fixture
def stripe_proxy(sandbox: StripeSandbox, settings: Any) -> Iterator[Proxy]:
    parts = urlsplit(sandbox.url)
    with Proxy(str(parts.hostname), int(parts.port or 80)) as proxy:
        settings.STRIPE_API_BASE = f"http://127.0.0.1:{proxy.port}"
        settings.STRIPE_TIMEOUT_SECONDS = 1.0
        yield proxy


def confirm_through(proxy: Proxy, fault: Fault) -> tuple[Any, float, str]:
    """Order, then confirm with the fault; the answer, its seconds, and the payment's id."""
    product = ProductFactory(stock=5)
    client = quiet(client_for(UserFactory()))
    payment = post_order(client, {product.slug: 1}).json()["payment"]["id"]
    proxy.set(fault)
    url = f"/api/v1/payments/{payment}/confirm/"
    body = {"payment_method": "pm_card_visa"}
    answer, took = timed(lambda: client.post(url, body, format="json"))
    proxy.set(NORMAL)
    return answer, took, payment


STRIPE_FAULTS = [
    Fault(Kind.DELAY, seconds=1.5),
    Fault(Kind.DROP),
    Fault(Kind.HALF_OPEN),
    Fault(Kind.RESET),
    Fault(Kind.RESET_AFTER, request=b"/confirm", nth=0),
]


RETRY = "payments.stripe.resolve_attempt"


def charged_and_forgotten(proxy: Proxy, sandbox: StripeSandbox) -> StripeIntent:
    """Charged, the answer lost, and with it the message of the retry."""
    confirm_through(proxy, STRIPE_FAULTS[-1])
    assert OutboxMessage.objects.filter(task=RETRY).delete()[0] == 1
    intent = StripeIntent.objects.get()
    assert len(sandbox.charges(intent.intent_id)) == 1
    return intent


def assert_charged_once_and_paid(sandbox: StripeSandbox) -> None:
    assert Order.objects.get().status == "paid"
    assert len(sandbox.charges(StripeIntent.objects.get().intent_id)) == 1
    assert invariants.breaches() == []


@pytest.mark.proof(
    "Stripe behind a network that goes wrong, and the retry",
    size="late, silent, half-open, reset before and after the request",
    control="test_control_without_the_retry_and_the_poll_the_charge_stays_unsettled",
)
@pytest.mark.parametrize("fault", STRIPE_FAULTS, ids=lambda fault: fault.kind.name.lower())
def test_one_charge_whatever_the_network_does(
    stripe_proxy: Proxy, sandbox: StripeSandbox, drain: Any, fault: Fault
) -> None:
    answer, took, _ = confirm_through(stripe_proxy, fault)
    print(f"{fault.kind.name}: {answer.status_code} in {took:.1f} s")
    assert is_clean(answer)
    assert took < 15 * LOOSE
    drain(later=True)
    assert_charged_once_and_paid(sandbox)


@pytest.mark.proof(
    "Stripe's answer is lost, and the retry: the poll alone",
    size="1 charge",
    control="test_control_without_the_retry_and_the_poll_the_charge_stays_unsettled",
)
def test_the_poll_alone_settles_a_charge(
    stripe_proxy: Proxy, sandbox: StripeSandbox, drain: Any
) -> None:
    intent = charged_and_forgotten(stripe_proxy, sandbox)
    StripeIntent.objects.filter(pk=intent.pk).update(next_poll_at=Now())
    assert stripe.poll() == 1
    drain(later=True)
    assert_charged_once_and_paid(sandbox)


def test_control_without_the_retry_and_the_poll_the_charge_stays_unsettled(
    stripe_proxy: Proxy, sandbox: StripeSandbox, drain: Any
) -> None:
    charged_and_forgotten(stripe_proxy, sandbox)
    drain(later=True)
    assert Order.objects.get().status == "pending_payment"
