"""The gate in Redis lost, killed and gone back in time while units sell: MySQL decides."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django_redis import get_redis_connection
from redis import Redis

from accounts.ledger.errors import InsufficientFunds
from common import rows
from config import invariants
from payments.checkout import services as checkout
from payments.checkout.services import flash
from shop.flash_sales import selectors, store
from shop.flash_sales.errors import OrderLimitExceeded, UserLimitReached
from shop.flash_sales.models import FlashPurchase, FlashRun, FlashUnit
from shop.flash_sales.services import gate
from tests.factories.flash import live_run
from tests.factories.users import UserFactory
from tests.faults.processes import servers
from tests.races.parallel import in_parallel
from tests.races.test_flash_sales import apart, ordered, purchase, rush, taken  # noqa: F401
from tests.sizes import sized

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_stripe")]

UNITS = sized(40, 200)


@pytest.fixture(autouse=True)
def _nothing_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "_SEEN", {})
    monkeypatch.setattr(flash, "_RUNS", {})


def gated(**how: Any) -> FlashRun:
    """A run whose gate is full, with the process that has filled it."""
    run = live_run(**how)
    flash._RUNS[run.sale.slug] = run.pk
    assert gate.gate_fill(run.pk)
    return run


def in_gate(run: FlashRun) -> tuple[int, int]:
    """Units that are free and that are out, as Redis has them."""
    _, free, out, *_ = store._keys(run.pk)
    redis = get_redis_connection("default")
    return redis.zcard(free), redis.zcard(out)


def all_sold(run: FlashRun) -> None:
    """Everybody has come, and the last units go to a second wave if any were left."""
    rush(run, [1] * (run.allocation - taken(run)))
    assert taken(run) == ordered(run) == run.allocation
    assert rush(run, [1] * 3) == {"SoldOut": 3}
    assert invariants.breaches() == []


@pytest.mark.usefixtures("apart")
def test_the_gate_hands_out_each_unit_once_and_knows_when_none_is_left() -> None:
    run = gated(units=UNITS)
    answers = rush(run, [1] * (UNITS + 10))
    assert answers == {"FlashPlaced": UNITS, "SoldOut": 10}
    assert in_gate(run) == (0, 0)
    assert taken(run) == ordered(run) == UNITS
    assert invariants.breaches() == []


def with_trouble(run: FlashRun, people: int, trouble: Callable[[], None]) -> Counter[str]:
    """Buyers, and something that goes wrong again and again until the last has been answered."""
    over = threading.Event()

    def again() -> None:
        while not over.wait(0.02):
            trouble()

    thread = threading.Thread(target=again)
    thread.start()
    try:
        return rush(run, [1] * people)
    finally:
        over.set()
        thread.join()


@pytest.mark.usefixtures("apart")
@pytest.mark.proof(
    "Flash run: Redis emptied again and again in a rush: exactly N, and all N",
    size=f"{UNITS} units",
    control="test_control_an_old_copy_oversells_where_mysql_does_not_decide",
    runs=5,
)
def test_a_redis_that_forgets_everything_sells_neither_more_nor_less() -> None:
    run = gated(units=UNITS)
    # FLUSHALL would empty the caches of the tests beside this one as well.
    answers = with_trouble(run, UNITS + 20, get_redis_connection("default").flushdb)
    assert set(answers) <= {"FlashPlaced", "SoldOut"}
    all_sold(run)


def copy_of(run: FlashRun) -> Callable[[], None]:
    """What Redis knows of a run now, to be put back later as a restored snapshot would be."""
    redis = get_redis_connection("default")
    kept = {key: redis.dump(key) for key in store._keys(run.pk)}

    def restore() -> None:
        redis.delete(*kept)
        for key, value in kept.items():
            if value:
                redis.restore(key, 0, value)

    return restore


@pytest.mark.usefixtures("apart")
@pytest.mark.parametrize("noticed", [True, False])
def test_an_old_copy_that_comes_back_sells_no_unit_again(
    noticed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not noticed:  # as by a process that has only just started
        monkeypatch.setattr(gate, "_is_older", lambda seen, handed: False)
    run = gated(units=UNITS)
    restore = copy_of(run)
    rush(run, [1] * (UNITS // 2))
    restore()
    rush(run, [1] * UNITS)
    all_sold(run)


def test_control_an_old_copy_oversells_where_mysql_does_not_decide(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No condition in the UPDATE, and nobody who notices that Redis has gone back in time."""
    change = rows.change
    monkeypatch.setattr(rows, "change", lambda model, values, where=None: change(model, values))
    monkeypatch.setattr(gate, "_is_older", lambda seen, handed: False)
    run = gated(units=10)
    restore = copy_of(run)
    rush(run, [1] * 8)
    for _ in range(10):
        restore()
        rush(run, [1] * 8)
        if ordered(run) > 10:
            return
    pytest.fail("never sold more than there are")


def test_an_empty_gate_that_is_wrong_keeps_nothing_from_sale() -> None:
    run = gated(units=5)
    get_redis_connection("default").delete(store._keys(run.pk)[1])
    assert rush(run, [1] * 6) == {"FlashPlaced": 5, "SoldOut": 1}


def test_control_without_the_look_at_mysql_units_stay_unsold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(flash, "_more_units", lambda run_id: False)
    run = gated(units=5)
    get_redis_connection("default").delete(store._keys(run.pk)[1])
    assert rush(run, [1] * 6) == {"SoldOut": 6}


def test_a_unit_that_is_given_up_is_in_the_gate_with_the_commit() -> None:
    run = gated(units=3)
    placed = [purchase(run, UserFactory().pk)().placed for _ in range(3)]
    assert in_gate(run) == (0, 0)
    order = placed[1].order
    checkout.order_cancel(order_id=order.pk, actor_id=order.user_id)
    assert in_gate(run) == (1, 0)
    assert purchase(run, UserFactory().pk)().units == [2]


def test_what_a_killed_process_was_handed_lapses(monkeypatch: pytest.MonkeyPatch) -> None:
    run = gated(units=5)
    handed = store.claim(run.pk, [(UserFactory().pk, 2)])
    assert handed is not None
    assert rush(run, [1] * 5) == {"FlashPlaced": 3, "SoldOut": 2}
    monkeypatch.setattr(store, "LAPSES_MS", 0)
    assert rush(run, [1] * 3) == {"FlashPlaced": 2, "SoldOut": 1}
    assert taken(run) == 5
    assert invariants.breaches() == []


def test_who_is_refused_gives_back_what_he_was_handed() -> None:
    run = gated(units=3, per_user_limit=1)
    user = UserFactory().pk
    answers = in_parallel([purchase(run, user)] * 6)
    assert Counter(type(a).__name__ for a in answers) == {"FlashPlaced": 1, "UserLimitReached": 5}
    assert in_gate(run) == (2, 0)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many wishes each group had for which MySQL was asked."""
    groups: list[int] = []
    place = flash._place

    def counted(wishes: Any, offered: Any) -> Any:
        groups.append(len(wishes))
        return place(wishes, offered)

    monkeypatch.setattr(flash, "_place", counted)
    return groups


def refusal(run: FlashRun, user: int, quantity: int = 1) -> Any:
    [answer] = in_parallel([purchase(run, user, quantity)])
    return answer


def test_who_has_all_he_may_have_is_told_so_without_mysql(
    asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LIMIT_MS", 60_000)
    run = gated(units=5, per_user_limit=2, per_order_limit=2)
    user = UserFactory().pk
    order = purchase(run, user)().placed.order
    first = refusal(run, user, 2)
    assert (type(first), first.extra, asked) == (UserLimitReached, {"limit": 2, "left": 1}, [1, 1])
    again = refusal(run, user, 2)
    assert (type(again), again.extra, asked) == (UserLimitReached, {"limit": 2, "left": 1}, [1, 1])
    # Another limit forbids three, and one is left.
    assert isinstance(refusal(run, user, 3), OrderLimitExceeded)
    assert purchase(run, user)().units
    assert refusal(run, user).extra == {"limit": 2, "left": 0}
    checkout.order_cancel(order_id=order.pk, actor_id=user)
    assert purchase(run, user)().units, "as soon as he has given one up"
    assert in_gate(run) == (3, 0)


def test_others_of_his_group_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "LIMIT_MS", 60_000)
    run = gated(units=5, per_user_limit=1)
    greedy, other = UserFactory().pk, UserFactory().pk
    assert purchase(run, greedy)().units
    assert isinstance(refusal(run, greedy), UserLimitReached)
    wishes = [flash.Wish(run.sale.slug, "stripe", user, 1, "", None) for user in (greedy, other)]
    told, served = flash._answers(wishes)
    assert (type(told), type(served)) == (UserLimitReached, flash.FlashPlaced)
    assert in_gate(run) == (3, 0)


def test_a_refusal_beside_ones_own_call_is_not_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The other call may find the wallet empty, and the user may have the unit after all."""
    monkeypatch.setattr(store, "LIMIT_MS", 60_000)
    run = gated(units=5, per_user_limit=1)
    poor = UserFactory().pk
    wishes = [flash.Wish(run.sale.slug, "wallet", poor, 1, "", None)] * 2
    answers = [type(answer) for answer in flash._answers(wishes)]
    assert answers == [InsufficientFunds, UserLimitReached]
    assert purchase(run, poor)().units


def test_control_where_redis_remembers_nobody_mysql_is_asked_each_time(
    asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LIMIT_MS", 0)
    run = gated(units=5, per_user_limit=1)
    user = UserFactory().pk
    purchase(run, user)()
    assert [type(refusal(run, user)) for _ in range(3)] == [UserLimitReached] * 3
    assert asked == [1] * 4


@pytest.fixture
def own_redis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A Redis that may be killed."""
    server = servers.start_redis(tmp_path)
    client = Redis.from_url(server.url, socket_timeout=1, socket_connect_timeout=1)
    monkeypatch.setattr(store, "get_redis_connection", lambda alias: client)
    yield server
    server.stop()


def test_redis_killed_and_started_again_in_a_rush(own_redis: Any) -> None:
    run = gated(units=UNITS)
    calls = [purchase(run, UserFactory().pk) for _ in range(UNITS + 20)]
    third = len(calls) // 3
    in_parallel(calls[:third])
    own_redis.kill()
    in_parallel(calls[third : 2 * third])
    assert taken(run) == 2 * third
    own_redis.restart()
    in_parallel(calls[2 * third :])
    assert taken(run) == ordered(run) == UNITS
    assert FlashPurchase.objects.filter(run=run).count() == UNITS
    assert invariants.breaches() == []


def test_a_gate_is_filled_by_one_at_a_time() -> None:
    run = live_run(units=3)
    assert store.begin_filling(run.pk)
    assert store.begin_filling(run.pk) is None
    flash._RUNS[run.sale.slug] = run.pk
    assert purchase(run, UserFactory().pk)().units == [1]  # searched in MySQL meanwhile


def test_units_of_an_earlier_run_are_not_sold_in_the_next() -> None:
    first, second = gated(units=3), gated(units=3)
    flash._RUNS[second.sale.slug] = first.pk
    bought = purchase(second, UserFactory().pk)()
    assert FlashUnit.objects.get(run=second, purchase__isnull=False).number == bought.units[0]
    assert selectors.unit_counts([first.pk])[first.pk].free == 3
    assert in_gate(first) == (3, 0)


def test_a_unit_is_for_sale_within_a_tenth_of_a_second_of_its_return() -> None:
    run = gated(units=1)
    order = purchase(run, UserFactory().pk)().placed.order
    assert isinstance(in_parallel([purchase(run, UserFactory().pk)])[0], Exception)
    checkout.order_cancel(order_id=order.pk, actor_id=order.user_id)
    time.sleep(0.1)
    assert flash.flash_sales.refusal_known(run.sale.slug) is None
    assert purchase(run, UserFactory().pk)().units == [1]
