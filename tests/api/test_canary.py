"""Planted secrets turn up nowhere: no log line, task, outbox row, error answer or admin page."""

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from common.logs import json_formatter
from tests.factories.shop import ProductFactory
from tests.factories.users import SuperuserFactory, client_for

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "canary-Password-71c4"
CARD = "4242424242424242"
ORDERS = "/api/v1/orders/"
ADMIN = ("/admin/", "/admin/common/outboxmessage/", "/admin/accounts/user/", "/admin/shop/order/")


class Sink(logging.Handler):
    """Everything that is logged, at every level, as it is written."""

    def __init__(self) -> None:
        super().__init__(level=logging.DEBUG)
        self.setFormatter(json_formatter())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def log() -> Iterator[Sink]:
    sink, root = Sink(), logging.getLogger()
    level = root.level
    root.addHandler(sink)
    root.setLevel(logging.DEBUG)
    yield sink
    root.removeHandler(sink)
    root.setLevel(level)


@pytest.fixture
def pair(log: Sink) -> dict[str, str]:
    """A canary's own registration, whose tokens are secrets from then on."""
    account = {"email": "canary@example.org", "password": PASSWORD, "name": "Canary"}
    answer = Client().post("/api/v1/auth/register/", account, content_type="application/json")
    assert answer.status_code == 201, answer.content
    return {name: answer.json()[name] for name in ("access", "refresh")}


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Placing an order fails as a bug would, with what was sent in the exception's words."""

    def fail(**sent: Any) -> Any:
        raise RuntimeError(f"{CARD} {PASSWORD} {sent}")

    monkeypatch.setattr("payments.checkout.api.services.order_place", fail)


def _requests(pair: dict[str, str]) -> Iterator[tuple[str, str, Any, dict[str, str]]]:
    bearer = {"Authorization": f"Bearer {pair['access']}"}
    bad = {"Authorization": f"Bearer {pair['refresh']}"}
    planted = {"card": CARD, "password": PASSWORD, "token": pair["refresh"]}
    line = {"lines": [{"product": "oak", "quantity": 1}], "payment": {"method": "stripe"}}
    yield "post", "/api/v1/auth/token/", {"email": "canary@example.org", "password": PASSWORD}, {}
    yield "post", "/api/v1/auth/token/", {"email": "no@example.org", "password": PASSWORD}, {}
    yield "post", "/api/v1/auth/token/verify/", {"token": pair["access"]}, {}
    yield "get", ORDERS, None, bad
    yield "get", f"/api/v1/products/?search={PASSWORD}", None, bearer
    yield "get", "/api/v1/auth/me/", None, {**bearer, "X-Card": CARD, "Cookie": f"c={CARD}"}
    yield "get", "/api/v1/auth/me/", None, {**bearer, "X-Request-ID": f"{CARD} {PASSWORD}"}
    yield "patch", "/api/v1/auth/me/", {"name": "C", **planted}, bearer
    yield "post", ORDERS, {**line, "payment": {"method": CARD}}, bearer
    yield "post", ORDERS, {**line, "expected_total": CARD}, bearer
    yield "post", ORDERS, {**line, **planted}, {**bearer, "Idempotency-Key": PASSWORD}
    yield "post", ORDERS, line, {**bearer, "Idempotency-Key": f"key-{CARD}"}
    yield "post", "/webhooks/stripe/", planted, {"Stripe-Signature": f"t=1,v1={CARD}"}
    yield "post", "/admin/login/", {"username": "canary", "password": PASSWORD}, {}


def play(pair: dict[str, str]) -> list[tuple[str, Any]]:
    """Every request's path and answer; a bug's exception becomes its 500, as on a server."""
    client = Client(raise_request_exception=False)
    answers = []
    for method, path, body, headers in _requests(pair):
        sent = {} if body is None else {"data": body, "content_type": "application/json"}
        answers.append((path, getattr(client, method)(path, headers=headers, **sent)))
    return answers


def _stored() -> str:
    """Every row of every table that a page, task or person may show."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            found += [repr(row) for row in cursor.fetchall()]
    return "\n".join(found)


def _pages() -> str:
    client = Client()
    client.force_login(SuperuserFactory())
    return "".join(client.get(path).content.decode() for path in ADMIN)


def assert_clean(text: str, pair: dict[str, str]) -> None:
    for secret in (PASSWORD, CARD, pair["access"], pair["refresh"]):
        position = text.find(secret)
        assert position < 0, text[max(0, position - 200) : position + 60]


@pytest.mark.parametrize("fails", [False, True], ids=["works", "broken"])
def test_planted_secrets_turn_up_nowhere(
    *,
    fails: bool,
    log: Sink,
    pair: dict[str, str],
    sandbox: Any,
    drain: Callable[..., int],
    request: pytest.FixtureRequest,
) -> None:
    ProductFactory(slug="oak", stock=5)
    if fails:
        request.getfixturevalue("broken")
    answers = play(pair)
    assert (500 in {answer.status_code for _, answer in answers}) is fails
    drain()
    errors = [answer.content.decode() for _, answer in answers if answer.status_code >= 400]
    assert len(errors) > 5
    assert len(log.lines) > len(answers)
    assert_clean("\n".join(log.lines), pair)
    assert_clean("\n".join(errors), pair)
    assert_clean(_stored(), pair)
    assert_clean(_pages(), pair)


def test_the_search_finds_what_is_there(log: Sink, pair: dict[str, str]) -> None:
    """The control: without the list, a planted value would be found."""
    logging.getLogger("canary").warning(f"planted {PASSWORD}")
    with pytest.raises(AssertionError, match="planted"):
        assert_clean("\n".join(log.lines), pair)


def test_a_failing_task_names_only_its_error(log: Sink, pair: dict[str, str]) -> None:
    customer = client_for(SuperuserFactory())
    assert customer.get("/api/v1/admin/products/").status_code == 200
    try:
        raise ValueError(f"{CARD} {pair['access']}")
    except ValueError:
        logging.getLogger("celery.app.trace").error(
            "Task %(name)s raised", {"name": CARD}, exc_info=True, extra={"data": {"args": CARD}}
        )
    assert json.loads(log.lines[-1])["exception"] == "ValueError"
    assert_clean("\n".join(log.lines), pair)
