"""A crowd at a coin's open batch, two workers behind it: each cent and unit, each batch once."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from celery import current_app
from django.db import connections
from django.db.models.functions import Now

from common.errors import Busy, InvalidTransition
from common.outbox.models import OutboxMessage
from common.together import Together
from config import invariants
from payments.exchange import gateway, locks, services
from payments.exchange.models import ExchangeAttempt, ExchangeBatch, ExchangeOrder
from payments.exchange.services import placing, send
from tests.factories.exchange import ask, bought, buy, fund, listed, purchases, venue, wallet
from tests.factories.users import UserFactory, client_for
from tests.races.parallel import in_parallel, quiet
from tests.sizes import PROVE, sized

__all__ = ["venue"]
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(3600 if PROVE else 900),
    pytest.mark.usefixtures("venue"),
]

USERS, AT_ONCE = sized(60, 500), sized(12, 50)
CUSTOMERS = USERS // 6
EACH = 12
# In a crowd of fifty ten orders have sealed a batch before anybody can cancel one of them.
SOME = "0.1" if PROVE else "0.25"
TASK = "payments.exchange.settle_batch"


@pytest.fixture(autouse=True)
def _coins() -> None:
    listed("ABAN")


@pytest.fixture(params=["together", "apart"])
def grouping(request: pytest.FixtureRequest) -> None:
    """Customers of one process share transactions; those of as many processes have their own."""
    if request.param == "apart":
        request.getfixturevalue("apart")


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placing, "_group", lambda wish: Together(placing._carry_out))


def clients(count: int, cents: int = 100) -> list[Any]:
    return [quiet(client_for(fund(UserFactory(), cents))) for _ in range(count)]


def order_one_after_another(buyers: list[Any]) -> list[Any]:
    return [ask(buyer, "ABAN", "0.25") for buyer in buyers]


def due() -> list[OutboxMessage]:
    return list(OutboxMessage.objects.filter(task=TASK, done_at=None, next_attempt_at__lte=Now()))


def work_off() -> int:
    messages = due()
    for message in messages:
        current_app.tasks[TASK](**message.payload, outbox_id=message.pk)
    return len(messages)


@contextmanager
def two_workers() -> Iterator[None]:
    """Until the block ends, and then until nothing is left."""
    ended = threading.Event()

    def work() -> None:
        try:
            while work_off() or not ended.wait(0.01):
                pass
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join(120)


def a_crowd() -> list[Any]:
    """Orders of a dollar by USERS users, AT_ONCE at a time; the answers or what was raised."""
    buyers = clients(USERS)
    parts = [buyers[n::AT_ONCE] for n in range(AT_ONCE)]
    with two_workers():
        found = in_parallel([lambda p=part: order_one_after_another(p) for part in parts])
    OutboxMessage.objects.filter(done_at=None).update(next_attempt_at=Now())
    work_off()
    return [answer for part in found for answer in (part if isinstance(part, list) else [part])]


@pytest.mark.usefixtures("grouping")
@pytest.mark.proof(
    "Coins for a dollar each, two workers",
    size=f"{USERS} users, {AT_ONCE} at a time",
    control="test_control_without_the_pools_lock_totals_are_lost",
    runs=20,
)
def test_every_cent_and_unit_of_a_crowd_is_accounted_for(venue: Any) -> None:
    answers = a_crowd()
    assert Counter(answer.status_code for answer in answers) == {201: USERS}
    # Ten dollars are ten orders, never eleven: a batch is sealed by the order that reaches them.
    members = ExchangeBatch.objects.filter(members__gt=0).values_list("members", flat=True)
    assert Counter(members) == {10: USERS // 10}
    sent = [call["body"]["client_order_id"] for call in venue.calls("POST")]
    assert len(sent) == len(set(sent)) == USERS // 10
    assert purchases(venue) == [("ABAN", "2.5")] * (USERS // 10)
    assert Counter(ExchangeOrder.objects.values_list("status", "filled", "charged")) == {
        ("settled", 25_000_000, 100): USERS
    }
    assert sum(Decimal(filled) for filled in bought(venue).values()) == Decimal(USERS) / 4
    assert invariants.breaches() == []


@pytest.mark.usefixtures("apart")
def test_control_without_the_pools_lock_totals_are_lost(
    venue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "pool", lambda currency_id: None)
    answers = a_crowd()
    fine = Counter(getattr(answer, "status_code", 0) for answer in answers) == {201: USERS}
    assert not fine or invariants.breaches() != []


@pytest.mark.usefixtures("grouping")
def test_in_a_crowd_of_rich_and_poor_each_has_its_own_answer(venue: Any) -> None:
    """Of each three one has nothing, one buys twice at once and can pay once, one buys enough."""
    poor, twice, large = (clients(EACH, cents) for cents in (1, 199, 2000))
    calls = [
        *(lambda c=client: ask(c, "ABAN", "0.25", key="poor") for client in poor),
        *(lambda c=client: ask(c, "ABAN", "0.25") for client in twice * 2),
        *(lambda c=client: ask(c, "ABAN", "3", key="large") for client in large),
    ]
    with two_workers():
        found = in_parallel(calls)
    codes = [answer.status_code for answer in found]
    assert codes[:EACH] == [409] * EACH
    pairs = zip(codes[EACH : 2 * EACH], codes[2 * EACH : 3 * EACH], strict=True)
    assert {tuple(sorted(pair)) for pair in pairs} == {(201, 409)}
    assert codes[3 * EACH :] == [201] * EACH
    again = [ask(client, "ABAN", "3", key="large").json()["id"] for client in large]
    assert again == [answer.json()["id"] for answer in found[3 * EACH :]]
    assert {ask(client, "ABAN", "0.25", key="poor").status_code for client in poor} == {409}
    assert ExchangeOrder.objects.count() == 2 * EACH
    assert invariants.breaches() == []


def insisting(client: Any) -> Any:
    """An order for some ABAN, by somebody who asks again where too much is going on."""
    while (answer := ask(client, "ABAN", SOME)).status_code == 503:
        assert answer.json()["code"] == "busy"
    assert answer.status_code == 201, answer.content
    return answer.json()


def cancelled(pk: int) -> bool:
    """Asks again where too much is going on; False where somebody was first, or it was sealed."""
    while True:
        try:
            services.order_cancel(order_id=pk)
        except Busy:
            continue
        except InvalidTransition:
            return False
        return True


def order_three_and_cancel_one(_: int) -> int:
    """How often the last of three orders was cancelled, by two who try at once."""
    client = client_for(fund(UserFactory(), 300))
    orders = [insisting(client) for _ in range(3)]
    pk = ExchangeOrder.objects.get(uid=orders[-1]["id"]).pk
    # The two have connections of their own, and MySQL has not as many as all together would need.
    connections.close_all()
    return sum(map(bool, in_parallel([lambda: cancelled(pk)] * 2)))


@pytest.mark.usefixtures("grouping")
@pytest.mark.proof(
    "Cancellations while batches are sealed",
    size=f"{CUSTOMERS * 3} orders, each third one cancelled by two at once",
    control="test_control_without_the_pools_lock_totals_are_lost",
    runs=20,
)
def test_an_order_is_either_cancelled_or_settled(venue: Any) -> None:
    parts = [range(CUSTOMERS)[n::AT_ONCE] for n in range(min(AT_ONCE, CUSTOMERS))]
    with two_workers():
        calls = [lambda p=part: [*map(order_three_and_cancel_one, p)] for part in parts]
        found = in_parallel(calls)
    assert [part for part in found if isinstance(part, Exception)] == []
    done = [count for part in found for count in part]
    assert len(done) == CUSTOMERS
    assert set(done) <= {0, 1}
    assert ExchangeOrder.objects.filter(status="cancelled").count() == sum(done)
    assert invariants.breaches() == []
    filled = sum(order.filled for order in ExchangeOrder.objects.all())
    assert filled == sum(Decimal(units) for units in bought(venue).values()) * 10**8


def test_twenty_cancellations_of_one_order_give_its_money_back_once() -> None:
    client = client_for(fund(UserFactory(), 300))
    pk = ExchangeOrder.objects.get(uid=buy(client, "ABAN", "0.25")["id"]).pk
    found = in_parallel([lambda: services.order_cancel(order_id=pk)] * 20)
    assert Counter(type(each).__name__ for each in found) == {
        "NoneType": 1,
        "InvalidTransition": 19,
    }
    assert wallet(client)["USD"] == ("3.00", "0.00")
    assert invariants.breaches() == []


def test_ten_workers_at_one_batch_send_it_once(venue: Any) -> None:
    buy(client_for(fund(UserFactory(), 2000)), "ABAN", "3")
    batch_id = ExchangeBatch.objects.get(members__gt=0).pk
    venue.fault("slow", seconds=0.3)
    in_parallel([lambda: services.batch_settle(batch_id=batch_id)] * 10)
    assert purchases(venue) == [("ABAN", "3")]
    assert ExchangeBatch.objects.get(pk=batch_id).state == "settled"
    assert invariants.breaches() == []


def test_control_without_the_lease_it_is_sent_more_than_once(
    venue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send, "LEASE", -send.LEASE)
    monkeypatch.setattr(gateway, "order_find", lambda client_order_id: None)
    buy(client_for(fund(UserFactory(), 2000)), "ABAN", "3")
    batch_id = ExchangeBatch.objects.get(members__gt=0).pk
    venue.fault("slow", seconds=0.3)
    in_parallel([lambda: services.batch_settle(batch_id=batch_id)] * 10)
    assert len(purchases(venue)) > 1
    # The venue knows the id: it is one purchase all the same.
    assert len(bought(venue)) == ExchangeAttempt.objects.count() == 1
