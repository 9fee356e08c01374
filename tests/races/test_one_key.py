"""Many calls with one Idempotency-Key at once, with the controls that lack its guards."""

from collections import Counter
from typing import Any

import pytest

from common import db
from common.idempotency import services as keys
from config import invariants
from shop.models import Order
from tests.factories.shop import ProductFactory
from tests.factories.users import UserFactory, client_for
from tests.races.parallel import in_parallel, post_order, quiet

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_stripe")]


def same_key() -> tuple[list[Any], int]:
    """Fifty calls of one customer with one key at once; the answers, and the orders made."""
    product, user = ProductFactory(stock=100), UserFactory()
    clients = [quiet(client_for(user)) for _ in range(50)]
    answers = in_parallel(
        [
            lambda c=client: post_order(c, {product.slug: 1}, **{"Idempotency-Key": "once"})
            for client in clients
        ]
    )
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    return answers, Order.objects.count()


@pytest.mark.proof(
    "One Idempotency-Key",
    size="50 in parallel",
    control="test_control_without_the_claim_every_call_makes_an_order",
    runs=20,
)
def test_fifty_calls_with_one_key_make_one_order() -> None:
    answers, made_orders = same_key()
    made = [a for a in answers if a.status_code == 201]
    refused = [a for a in answers if a.status_code != 201]
    assert made_orders == 1
    assert len({a.json()["number"] for a in made}) == 1
    assert sum("Idempotent-Replayed" not in a.headers for a in made) == 1
    assert {(a.status_code, a.json()["code"]) for a in refused} <= {(409, "idempotency_key_in_use")}
    assert all("Retry-After" in a.headers for a in refused)
    assert invariants.breaches() == []


def same_key_refused() -> Counter[int]:
    """Each refusal is one that is not stored: it lets the key go while others wait to insert it."""
    user = UserFactory()
    clients = [quiet(client_for(user)) for _ in range(50)]
    answers = in_parallel(
        [
            lambda c=client: post_order(c, {"missing": 1}, **{"Idempotency-Key": "once"})
            for client in clients
        ]
    )
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert Order.objects.count() == 0
    return Counter(answer.status_code for answer in answers)


@pytest.mark.proof(
    "One Idempotency-Key, refused",
    size="50 in parallel, 2 rounds",
    control="test_control_without_retry_the_key_itself_deadlocks",
    runs=20,
)
def test_fifty_calls_with_one_key_that_are_refused_are_never_5xx() -> None:
    for _ in range(2):
        assert set(same_key_refused()) <= {400, 409}


def test_control_without_retry_the_key_itself_deadlocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "ATTEMPTS", 1)
    assert any(503 in same_key_refused() for _ in range(40))


def test_control_without_the_claim_every_call_makes_an_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begin = keys.begin
    numbers = iter(range(1000))
    monkeypatch.setattr(keys, "begin", lambda **kw: begin(**{**kw, "key": f"k{next(numbers)}"}))
    _, made_orders = same_key()
    assert made_orders == 50
