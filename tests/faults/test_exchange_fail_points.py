"""Exit at each statement, commit, claim and call between an order and its coins: one purchase.

Three customers buy one coin each, which is one batch, and a worker settles it. Wherever that
process is killed, and also where the venue takes the order after the shop has given up waiting, it
ends as one run that nobody disturbed: one purchase at the venue, one coin each.
"""

import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from django.db.backends.utils import CursorWrapper
from django.db.models import F

from common.idempotency.models import IdempotencyRecord
from common.idempotency.services import CLAIM_LAPSES
from common.outbox import services as outbox
from common.outbox.models import OutboxMessage
from config import invariants
from payments.exchange import gateway
from payments.exchange.models import ExchangeAttempt, ExchangeOrder
from tests.factories.exchange import ask, fund, listed, venue, wallet
from tests.factories.users import UserFactory, client_for
from tests.faults.forked import POINTS, Kill, run_forked
from tests.sizes import PROVE, sized

__all__ = ["venue"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(3600 if PROVE else 900)]

# Statements are hundreds: every fortieth, or every one in `make prove`.
FEW = 6
STEP = 40 // sized(1, 40)
EXCHANGE = {
    "buy_from_exchange": (gateway, "buy_from_exchange"),
    "order_find": (gateway, "order_find"),
    "statement": (CursorWrapper, "execute"),
    **{name: POINTS[name] for name in ("commit", "claim", "acknowledge")},
}
MEMBERS = 3
LOST = "timeout_after"
# By fault and point: how often a run that nobody kills comes by.
VISITS: dict[str, Counter[str]] = {}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.setattr(outbox, "send", lambda *args: None)
    settings.EXCHANGE_VENUE_TIMEOUT_SECONDS = 1.0
    listed("ABAN")


class Batch:
    """Three customers of one batch, and the worker."""

    def __init__(self, venue: Any, drain: Callable[..., int], fault: str) -> None:
        self.venue, self.drain = venue, drain
        self.users = [fund(UserFactory(), 10_00) for _ in range(MEMBERS)]
        self.clients = [client_for(user) for user in self.users]
        self.before = len(venue.bought())
        venue.clear()
        if fault:
            venue.fault(fault, seconds=1.5)

    def script(self, acknowledge: Callable[[str], None]) -> None:
        for number, client in enumerate(self.clients):
            answer = ask(client, "ABAN", "1", key="first")
            assert answer.status_code == 201, answer.content
            acknowledge(str(number))
        self.drain()
        # The answer was lost: a worker comes again.
        self.drain(later=True)

    def kept(self) -> set[str]:
        orders = ExchangeOrder.objects.filter(user__in=self.users)
        numbers = {user.pk: str(number) for number, user in enumerate(self.users)}
        return {numbers[pk] for pk in orders.values_list("user_id", flat=True)}

    def catch_up(self) -> None:
        """Time passes: leases and claims lapse, and workers do what is owed."""
        claims = IdempotencyRecord.objects.filter(user_id__in=[user.pk for user in self.users])
        claims.update(claimed_at=F("claimed_at") - CLAIM_LAPSES - timedelta(seconds=1))
        ExchangeAttempt.objects.update(leased_until=None)
        self.drain(later=True)

    def bought(self) -> int:
        return len(self.venue.bought()) - self.before


def check(batch: Batch, acknowledged: list[str]) -> None:
    batch.catch_up()
    assert set(acknowledged) <= batch.kept(), "something acknowledged is lost"
    assert invariants.breaches() == []
    batch.script(lambda step: None)
    assert batch.bought() == 1
    for client in batch.clients:
        assert wallet(client) == {"USD": ("6.00", "0.00"), "ABAN": ("1.00000000", "0.00000000")}
    orders = ExchangeOrder.objects.filter(user__in=batch.users)
    assert Counter(orders.values_list("status", flat=True)) == {"settled": MEMBERS}
    assert not OutboxMessage.objects.filter(done_at=None).exists()
    assert invariants.breaches() == []


def cases() -> list[tuple[str, str, str]]:
    """Only where an answer is lost does anybody ask what became of an order, and then the purchase
    has no moment after it: it is given up."""
    missing = {("", "order_find", "before"), ("", "order_find", "after")}
    missing |= {(LOST, "buy_from_exchange", "after")}
    found = product(("", LOST), EXCHANGE, ("before", "after"))
    return [case for case in found if case not in missing]


@pytest.mark.proof(
    "Fail points of the exchange",
    size=f"{len(cases())} points, answered and given up, before and after, "
    + (f"1 in {STEP} of many visits" if STEP > 1 else "every visit"),
    control="test_control_sent_again_under_another_id_it_is_bought_twice",
)
@pytest.mark.parametrize(("fault", "point", "when"), cases())
def test_killed_at_any_visit_it_is_one_purchase(
    venue: Any, drain: Any, tmp_path: Path, fault: str, point: str, when: str
) -> None:
    if fault not in VISITS:
        undisturbed = run_forked(Batch(venue, drain, fault).script, tmp_path, points=EXCHANGE)
        assert len(undisturbed.acknowledged) == MEMBERS
        VISITS[fault] = undisturbed.visits
    visits = VISITS[fault][point]
    assert visits > 0
    for visit in range(1, visits + 1, STEP if visits > FEW else 1):
        batch = Batch(venue, drain, fault)
        run = run_forked(batch.script, tmp_path, Kill(point, when, visit), points=EXCHANGE)
        assert run.killed or point == "statement", f"{point} was not visited {visit} times"
        check(batch, run.acknowledged)


def test_control_sent_again_under_another_id_it_is_bought_twice(
    venue: Any, drain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blind, and under an id that the venue has not seen: what the two guards together prevent."""
    buy = gateway.buy_from_exchange

    def blind(currency: str, amount: Any, client_order_id: str) -> Any:
        answer = buy(currency, amount, uuid.uuid4().hex)
        return replace(answer, client_order_id=client_order_id)

    monkeypatch.setattr(gateway, "buy_from_exchange", blind)
    monkeypatch.setattr(gateway, "order_find", lambda client_order_id: None)
    batch = Batch(venue, drain, "")
    kill = Kill("buy_from_exchange", "after", 1)
    assert run_forked(batch.script, tmp_path, kill, points=EXCHANGE).killed
    batch.catch_up()
    assert batch.bought() == 2


def test_control_with_nobody_to_catch_up_the_coins_are_nobodys(
    venue: Any, drain: Any, tmp_path: Path
) -> None:
    batch = Batch(venue, drain, "")
    run_forked(batch.script, tmp_path, Kill("buy_from_exchange", "after", 1), points=EXCHANGE)
    OutboxMessage.objects.all().delete()
    batch.catch_up()
    assert batch.bought() == 1
    assert set(ExchangeOrder.objects.values_list("status", flat=True)) == {"settling"}
