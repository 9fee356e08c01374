"""The shop behind a network that goes wrong, with the controls that lack its guards."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.db import connection

from config import invariants
from config.settings.base import mysql, redis_cache
from payments.sandbox.stripe import StripeSandbox
from payments.stripe.models import StripeIntent
from shop.models import Order
from tests.factories.shop import ProductFactory
from tests.factories.users import UserFactory, client_for
from tests.faults.proxy import NORMAL, Fault, Kind, Proxy
from tests.races.parallel import post_order, quiet

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]

# Of the tests alone; the shop's own is 30 seconds.
READ_TIMEOUT = 1
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
        yield proxy
        connection.close()


def is_clean(answer: Any) -> bool:
    """A success, or a problem document that asks to come again."""
    if answer.status_code in (200, 201, 202):
        return True
    assert answer.status_code in (409, 503), answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert b"Traceback" not in answer.content
    return int(answer.headers["Retry-After"]) >= 1


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    started = time.monotonic()
    return call(), time.monotonic() - started


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
    (_, first, again), took = timed(lambda: order_through(monkeypatch, Fault(kind), **KEY))
    assert (first.status_code, again.status_code) == (503, 201)
    assert is_clean(first)
    assert took < 10 * READ_TIMEOUT
    assert Order.objects.count() == 1
    assert invariants.breaches() == []


def wait_for(seconds: float, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Any:
    """The catalogue from a MySQL each of whose answers takes `seconds`; the answer and its time."""
    client = quiet(client_for(UserFactory()))
    with mysql_through_proxy(monkeypatch, **options) as proxy:
        connection.ensure_connection()
        proxy.set(Fault(Kind.DELAY, seconds=seconds))
        return timed(lambda: client.get("/api/v1/products/"))


def test_a_slow_mysql_is_a_503_too(monkeypatch: pytest.MonkeyPatch) -> None:
    answer, _ = wait_for(0.7, monkeypatch)
    assert answer.status_code == 503
    assert is_clean(answer)


def test_control_without_a_read_timeout_the_request_waits_for_mysql(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer, took = wait_for(0.7, monkeypatch, read_timeout=0)
    assert answer.status_code == 200
    assert took > READ_TIMEOUT


def test_mysql_is_not_waited_for_without_end_and_longer_than_for_a_lock() -> None:
    options = mysql("mysql://a:b@127.0.0.1/c")["OPTIONS"]
    assert 0 < options["connect_timeout"] <= 10
    assert min(options["read_timeout"], options["write_timeout"]) > 10


@pytest.fixture
def redis_proxy(settings: Any) -> Iterator[Proxy]:
    """The cache of the tests, through a proxy."""
    location = django_settings.CACHES["default"]["LOCATION"]
    parts = urlsplit(location)
    with Proxy(str(parts.hostname), int(parts.port or 6379)) as proxy:
        there = parts._replace(netloc=f"127.0.0.1:{proxy.port}").geturl()
        settings.CACHES = {"default": redis_cache(there)}
        settings.RATE_LIMIT_FACTOR = 1
        yield proxy
        proxy.set(NORMAL)


@pytest.mark.parametrize(
    "fault",
    [Fault(Kind.DELAY, seconds=0.2), Fault(Kind.DROP), Fault(Kind.HALF_OPEN), Fault(Kind.RESET)],
    ids=lambda fault: fault.kind.name.lower(),
)
def test_the_shop_sells_without_redis(
    redis_proxy: Proxy, sandbox: StripeSandbox, fault: Fault
) -> None:
    product = ProductFactory(stock=5)
    client = quiet(client_for(UserFactory()))
    redis_proxy.set(fault)
    listed, reading = timed(lambda: client.get("/api/v1/products/"))
    placed, ordering = timed(lambda: post_order(client, {product.slug: 1}, **KEY))
    print(f"{fault.kind.name}: catalogue {reading:.1f} s, order {ordering:.1f} s")
    assert (listed.status_code, placed.status_code) == (200, 201)
    # Each wait for Redis is a second at most.
    assert max(reading, ordering) < 8
    redis_proxy.set(NORMAL)
    assert client.get("/api/v1/products/").status_code == 200
    assert invariants.breaches() == []


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


@pytest.mark.proof(
    "Stripe behind a network that goes wrong",
    size="late, silent, half-open, reset before and after the request",
    control="test_control_without_the_poll_the_charge_stays_unsettled",
)
@pytest.mark.parametrize("fault", STRIPE_FAULTS, ids=lambda fault: fault.kind.name.lower())
def test_one_charge_whatever_the_network_does(
    stripe_proxy: Proxy, sandbox: StripeSandbox, drain: Any, fault: Fault
) -> None:
    answer, took, _ = confirm_through(stripe_proxy, fault)
    assert is_clean(answer)
    assert took < 15
    drain(later=True)
    order = Order.objects.get()
    print(f"{fault.kind.name}: {answer.status_code} in {took:.1f} s, {order.status}")
    intent = StripeIntent.objects.get()
    assert order.status == "paid"
    assert len(sandbox.charges(intent.intent_id)) == 1
    assert invariants.breaches() == []


def test_control_without_the_poll_the_charge_stays_unsettled(
    stripe_proxy: Proxy, sandbox: StripeSandbox
) -> None:
    confirm_through(stripe_proxy, STRIPE_FAULTS[-1])
    assert len(sandbox.charges(StripeIntent.objects.get().intent_id)) == 1
    assert Order.objects.get().status == "pending_payment"
