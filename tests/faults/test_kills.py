"""SIGKILL and lost brokers with payments in flight: all settled within 60 s, none twice."""

import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from accounts.sessions.services import session_start
from common.outbox.models import OutboxMessage
from config import invariants
from payments.intake.models import Payment, PaymentEvent
from payments.sandbox.stripe import StripeSandbox
from shop.models import Order
from tests.factories.shop import ProductFactory
from tests.factories.users import StaffFactory
from tests.faults.conftest import Customer
from tests.faults.processes import Shop, wait_until
from tests.sizes import LOOSE, sized

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(900)]

SETTLED_WITHIN = 60.0 * LOOSE
IN_FLIGHT = sized(5, 20)
# Nothing is sent again and nothing is asked for; leases and waits shorter than a control waits.
NO_SWEEP = {"FAULT_NO_BEAT": "outbox,stripe-poll,stripe-reconcile", "FAULT_QUICK": "1"}


def statuses() -> Counter[str]:
    return Counter(Order.objects.values_list("status", flat=True))


def all_paid() -> bool:
    return set(statuses()) == {"paid"}


def why(shop: Shop) -> str:
    """What a failed wait has to say: the orders, what the outbox owes, and the worker's log."""
    owed = OutboxMessage.objects.filter(done_at=None).values()
    return f"{statuses()} {list(owed)}\n{shop.log('worker')}"


def each_paid_once(stripe_world: StripeSandbox, count: int) -> None:
    """One charge at Stripe, one capture here, for each order; and every invariant."""
    charged = Counter(charge["payment_intent"] for charge in stripe_world.charges())
    assert (len(charged), set(charged.values())) == (count, {1})
    assert PaymentEvent.objects.filter(kind="captured").count() == count
    assert Payment.objects.filter(status="succeeded").count() == count
    assert invariants.breaches() == []


def kill_the_worker(shop: Shop, customer: Customer, tmp_path: Path) -> None:
    """The worker is lost with Stripe's first answer in hand, and four more payments to ask for."""
    slug = ProductFactory(stock=IN_FLIGHT).slug
    mark = tmp_path / "killed"
    shop.start_worker(FAULT_POINT="retrieve_intent:after", FAULT_MARK=str(mark))
    shop.start_web()
    for _ in range(IN_FLIGHT):
        customer.buy(slug)
    shop.wait_dead("worker", seconds=60 * LOOSE)
    assert mark.exists()
    assert statuses()["pending_payment"] > 0


@pytest.mark.proof(
    "SIGKILL of the worker",
    size=f"{IN_FLIGHT} payments in flight",
    control="test_control_without_sweep_and_poll_a_killed_workers_payment_stays_unsettled",
)
def test_a_worker_killed_between_stripes_answer_and_our_commit(
    shop: Shop, customer: Customer, stripe_world: StripeSandbox, tmp_path: Path
) -> None:
    shop.start_beat()
    kill_the_worker(shop, customer, tmp_path)
    shop.start_worker()
    took = wait_until(all_paid, seconds=SETTLED_WITHIN, why=partial(why, shop))
    print(f"settled {took:.1f} s after the restart")
    each_paid_once(stripe_world, IN_FLIGHT)


def test_control_without_sweep_and_poll_a_killed_workers_payment_stays_unsettled(
    shop: Shop, customer: Customer, stripe_world: StripeSandbox, tmp_path: Path
) -> None:
    kill_the_worker(shop, customer, tmp_path)
    stays_unsettled(shop, customer)
    assert len(stripe_world.charges()) == IN_FLIGHT + 1


def stays_unsettled(shop: Shop, customer: Customer) -> None:
    """Without sweep and poll the worker does take messages: a new order's, but none was lost."""
    shop.start_beat(**NO_SWEEP)
    shop.start_worker(**NO_SWEEP)
    number = customer.buy(ProductFactory(stock=1).slug)
    new = Order.objects.filter(number=number, status="paid")
    wait_until(new.exists, seconds=60 * LOOSE, why=partial(why, shop))
    with pytest.raises(AssertionError):
        wait_until(all_paid, seconds=8)
    assert statuses()["pending_payment"] > 0


def pay_and_flush(shop: Shop, customer: Customer, redis_server: Any) -> None:
    """Payments are confirmed while no worker runs; then Redis loses every message."""
    slug = ProductFactory(stock=IN_FLIGHT).slug
    shop.start_web()
    for _ in range(IN_FLIGHT):
        customer.buy(slug)
    broker = redis.Redis.from_url(redis_server.url)
    assert broker.llen("payments") >= IN_FLIGHT
    broker.flushall()
    assert broker.dbsize() == 0


@pytest.mark.proof(
    "FLUSHALL of Redis",
    size=f"{IN_FLIGHT} payments in flight",
    control="test_control_without_sweep_and_poll_a_flushed_payment_stays_unsettled",
)
def test_a_flushed_redis_loses_no_payment(
    shop: Shop, customer: Customer, stripe_world: StripeSandbox, redis_server: Any
) -> None:
    pay_and_flush(shop, customer, redis_server)
    shop.start_beat()
    shop.start_worker()
    took = wait_until(all_paid, seconds=SETTLED_WITHIN, why=partial(why, shop))
    print(f"settled {took:.1f} s after the restart")
    each_paid_once(stripe_world, IN_FLIGHT)


@pytest.mark.at_length("the killed worker's control")
def test_control_without_sweep_and_poll_a_flushed_payment_stays_unsettled(
    shop: Shop, customer: Customer, redis_server: Any
) -> None:
    pay_and_flush(shop, customer, redis_server)
    stays_unsettled(shop, customer)
    assert statuses() == {"paid": 1, "pending_payment": IN_FLIGHT}


def kill_the_web_process(
    shop: Shop, customer: Customer, stripe_world: StripeSandbox, tmp_path: Path
) -> str:
    """The customer sees no answer, and the card is charged; which payment it was."""
    slug = ProductFactory(stock=1).slug
    shop.start_web(FAULT_POINT="confirm_intent:after", FAULT_MARK=str(tmp_path / "killed"))
    payment = str(customer.order(slug).json()["payment"]["id"])
    with pytest.raises(httpx.HTTPError):
        customer.confirm(payment)
    shop.wait_dead("web", seconds=30 * LOOSE)
    assert len(stripe_world.charges()) == 1
    assert statuses() == {"pending_payment": 1}
    shop.start_web()
    return payment


@pytest.mark.proof(
    "SIGKILL of the web process",
    size="1 charge",
    control="test_control_without_sweep_and_poll_a_killed_web_process_leaves_a_charge_unsettled",
)
def test_a_web_process_killed_between_charge_and_commit(
    shop: Shop, customer: Customer, stripe_world: StripeSandbox, tmp_path: Path
) -> None:
    """The attempt's own task settles it."""
    shop.start_worker(FAULT_QUICK="1")
    shop.start_beat()
    payment = kill_the_web_process(shop, customer, stripe_world, tmp_path)
    # Another try meanwhile is refused: nobody knows yet what became of the first.
    again = customer.confirm(payment)
    assert again.status_code in (409, 202)
    wait_until(all_paid, seconds=SETTLED_WITHIN, why=partial(why, shop))
    each_paid_once(stripe_world, 1)


@pytest.mark.at_length("the killed worker's control")
def test_control_without_sweep_and_poll_a_killed_web_process_leaves_a_charge_unsettled(
    shop: Shop, customer: Customer, stripe_world: StripeSandbox, tmp_path: Path
) -> None:
    kill_the_web_process(shop, customer, stripe_world, tmp_path)
    stays_unsettled(shop, customer)
    assert len(stripe_world.charges()) == 2
    assert statuses() == {"paid": 1, "pending_payment": 1}


def sell_without_redis(
    shop: Shop, customer: Customer, stripe_world: StripeSandbox, redis_server: Any
) -> None:
    slug = ProductFactory(stock=4).slug
    shop.start_web()
    customer.buy(slug)
    wait_until(all_paid, seconds=60 * LOOSE, why=partial(why, shop))
    redis_server.kill()
    started = time.monotonic()
    for _ in range(3):
        customer.buy(slug)
    # Waiting for a broker that is down took six seconds a message.
    assert time.monotonic() - started < 12 * LOOSE
    assert customer.client.get("auth/me/").status_code == 200
    assert statuses() == {"paid": 1, "pending_payment": 3}
    assert len(stripe_world.charges()) == 4


@pytest.mark.proof(
    "Redis killed in a sale",
    size="3 orders without it",
    control="test_control_without_sweep_and_poll_what_redis_missed_stays_unsettled",
)
def test_without_redis_the_shop_sells_and_catches_up(
    shop: Shop, customer: Customer, stripe_world: StripeSandbox, redis_server: Any
) -> None:
    shop.start_worker(FAULT_QUICK="1")
    shop.start_beat(FAULT_QUICK="1")
    sell_without_redis(shop, customer, stripe_world, redis_server)
    redis_server.start()

    def caught_up() -> bool:
        # Celery gives up where Redis is lost in the middle of an acknowledgement.
        shop.restart_ended_worker(FAULT_QUICK="1")
        return all_paid()

    took = wait_until(caught_up, seconds=SETTLED_WITHIN, why=partial(why, shop))
    print(f"settled {took:.1f} s after Redis came back")
    each_paid_once(stripe_world, 4)


@pytest.mark.at_length("the killed worker's control")
def test_control_without_sweep_and_poll_what_redis_missed_stays_unsettled(
    shop: Shop, customer: Customer, stripe_world: StripeSandbox, redis_server: Any
) -> None:
    shop.start_worker(FAULT_QUICK="1")
    sell_without_redis(shop, customer, stripe_world, redis_server)
    redis_server.start()
    shop.kill("worker")
    stays_unsettled(shop, customer)
    assert statuses() == {"paid": 2, "pending_payment": 3}


@pytest.mark.proof(
    "SIGKILL around a refund",
    size="3 points",
    control="tests/faults/test_tasks_repeat.py"
    "::test_control_without_our_idempotency_key_a_crash_pays_back_twice",
)
@pytest.mark.at_length("a worker killed around a charge, and test_fail_points.py")
@pytest.mark.parametrize("point", ["create_refund:before", "create_refund:after", "finish:before"])
def test_a_worker_killed_around_a_refund_pays_back_once(
    shop: Shop, customer: Customer, stripe_world: StripeSandbox, tmp_path: Path, point: str
) -> None:
    slug = ProductFactory(stock=1).slug
    shop.start_worker(FAULT_QUICK="1")
    shop.start_beat(FAULT_QUICK="1")
    shop.start_web()
    customer.buy(slug)
    wait_until(all_paid, seconds=60 * LOOSE, why=partial(why, shop))
    shop.kill("worker")
    shop.start_worker(FAULT_QUICK="1", FAULT_POINT=point, FAULT_MARK=str(tmp_path / "killed"))
    ask_refund(shop)
    shop.wait_dead("worker", seconds=60 * LOOSE)
    shop.start_worker(FAULT_QUICK="1")
    wait_until(refunded, seconds=SETTLED_WITHIN, why=partial(why, shop))
    assert [refund["amount"] for refund in stripe_world.refunds()] == [600]
    assert Payment.objects.get().refunded == 600
    assert invariants.breaches() == []


def ask_refund(shop: Shop) -> None:
    """Staff asks for 60 % of the only payment back."""
    staff = Customer(shop, session_start(user_id=StaffFactory().pk).access)
    answer = staff.client.post(
        f"admin/payments/{Payment.objects.get().uid}/refund/",
        json={"amount": "6.00", "reason": "a test"},
    )
    assert answer.status_code == 201, answer.text


def refunded() -> bool:
    return statuses() == {"partially_refunded": 1}
