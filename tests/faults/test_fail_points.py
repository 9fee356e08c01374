"""Exit before and after each provider call, commit, send, claim and acknowledgement of a sale.

One script orders, pays, refunds, hears of the refund, and cancels a second order; another one
pays, hears of a dispute, and of its loss. They are killed at the visits of every point; then
workers catch up, and the customer sends the same calls again with the same keys. However a script
was killed, it ends as one run that nobody disturbed.
"""

import inspect
import json
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.db.models import F
from django.db.models.functions import Now

from common import clock
from common.idempotency.models import IdempotencyRecord
from common.idempotency.services import CLAIM_LAPSES
from common.outbox import services as outbox
from common.outbox.models import OutboxMessage
from config import invariants
from payments.intake.models import Dispute, Payment
from payments.notices.models import Notice
from payments.stripe import gateway
from payments.stripe.models import StripeIntent, StripeRefund, StripeSending
from shop.models import Order, Stock
from tests.factories.shop import ProductFactory
from tests.factories.users import StaffFactory, UserFactory, client_for
from tests.faults.forked import POINTS, PROVIDER_CALLS, Kill, run_forked
from tests.faults.test_webhook_away import send
from tests.races.parallel import post_order
from tests.sizes import PROVE, sized

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(3600 if PROVE else 900)]

# Commits, claims and the like are many: every twelfth visit, or every one in `make prove`.
FEW = 3
STEP = 12 // sized(1, 12)
# By story and point: how often a run that nobody kills comes by.
VISITS: dict[type["Sale"], Counter[str]] = {}


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "send", lambda *args: None)


class Sale:
    """The people and goods of one script, and what it is to end in."""

    steps = ("order", "confirm", "refund", "cancel")
    done: tuple[Any, ...] = ("partially_refunded", 1000, 600, "cancelled", (9, 0))
    # Intents of each payment, amounts charged, amounts paid back.
    done_at_stripe: tuple[list[int], ...] = ([1, 1], [1000], [600])

    def __init__(self, drain: Callable[..., int]) -> None:
        self.drain = drain
        self.user, self.product = UserFactory(), ProductFactory(stock=10)
        self.client, self.staff = client_for(self.user), client_for(StaffFactory())

    def script(self, acknowledge: Callable[[str], None]) -> None:
        payment = self._pay(acknowledge, "pm_card_visa")
        refund = {"amount": "6.00", "reason": "a test"}
        path = f"admin/payments/{payment}/refund/"
        assert self._post(path, refund, "refund", by=self.staff) == 201
        acknowledge("refund")
        self.drain()
        about = StripeRefund.objects.get(refund__payment__user=self.user).stripe_id
        self._hear("refund.updated", about)
        given_up = self._order("second")["number"]
        assert self._post(f"orders/{given_up}/cancel/", {}, "cancel") == 200
        acknowledge("cancel")
        self.drain()

    def _pay(self, acknowledge: Callable[[str], None], card: str) -> str:
        order = self._order("first")
        acknowledge("order")
        payment = str(order["payment"]["id"])
        if self._post(f"payments/{payment}/confirm/", {"payment_method": card}, "confirm") == 202:
            acknowledge("confirm")
        self.drain()
        return payment

    def _order(self, key: str) -> Any:
        answer = post_order(self.client, {self.product.slug: 1}, **{"Idempotency-Key": key})
        assert answer.status_code == 201, answer.content
        return answer.json()

    def _post(self, path: str, body: Any, key: str, *, by: Any = None) -> int:
        headers = {"Idempotency-Key": key}
        answer = (by or self.client).post(f"/api/v1/{path}", body, format="json", headers=headers)
        return int(answer.status_code)

    def _hear(self, kind: str, about: str) -> None:
        event = {"id": f"evt_{kind}_{about}", "object": "event", "type": kind}
        payload = json.dumps({**event, "data": {"object": {"id": about}}}).encode()
        assert send(payload).status_code == 200
        self.drain()

    def catch_up(self) -> None:
        """Time passes: leases and claims lapse, and workers do what is owed."""
        claims = IdempotencyRecord.objects.filter(user_id__in=self._people())
        claims.update(claimed_at=F("claimed_at") - CLAIM_LAPSES - timedelta(seconds=1))
        Notice.objects.update(claimed_until=Now())
        StripeSending.objects.update(leased_until=None)
        self.drain(later=True)

    def _people(self) -> list[int]:
        return [self.user.pk, *StaffFactory._meta.model.objects.values_list("pk", flat=True)]

    def kept(self) -> set[str]:
        """The steps whose effect is there."""
        orders, payments = Order.objects.filter(user=self.user), Payment.objects
        mine = payments.filter(user=self.user)
        found = {
            "order": orders.exists(),
            "confirm": mine.filter(captured=1000).exists(),
            "refund": mine.filter(refunded=600).exists(),
            "cancel": orders.filter(status="cancelled").exists(),
        }
        return {step for step, there in found.items() if there}

    def outcome(self) -> tuple[Any, ...]:
        first, second = Order.objects.filter(user=self.user).order_by("pk")
        payment = first.payments.get()
        stock = Stock.objects.get(pk=self.product.pk)
        return (
            first.status,
            payment.captured,
            payment.refunded,
            second.status,
            (stock.on_hand, stock.held),
        )

    def at_stripe(self, sandbox: Any) -> tuple[list[int], list[int], list[int]]:
        """How many intents each payment has, the amounts charged, and those paid back."""
        mine = Payment.objects.filter(user=self.user)
        since = clock.now() - timedelta(minutes=10)
        intents = Counter(i.metadata.get("payment") for i in gateway.list_intents(since))
        names = list(mine.values_list("stripe_intent__intent_id", flat=True))
        return (
            [intents[str(uid)] for uid in mine.values_list("uid", flat=True)],
            [charge["amount"] for name in names for charge in sandbox.charges(name)],
            [refund["amount"] for name in names for refund in sandbox.refunds(name)],
        )


class Complaint(Sale):
    """The card's owner complains, and the bank decides for them."""

    steps = ("order", "confirm", "dispute", "loss")
    done = ("paid", "reversed", 1000, "lost", (9, 0))
    done_at_stripe = ([1], [1000], [])

    def script(self, acknowledge: Callable[[str], None]) -> None:
        payment = self._pay(acknowledge, "pm_card_createDispute")
        intent = StripeIntent.objects.get(payment__uid=payment).intent_id
        (dispute,) = gateway.disputes_of(intent)
        self._hear("charge.dispute.created", dispute.id)
        acknowledge("dispute")
        if dispute.status != "lost":
            bank = f"{settings.STRIPE_API_BASE}/_sandbox/disputes/{dispute.id}/close"
            httpx.post(bank, json={"status": "lost"}, trust_env=False).raise_for_status()
        self._hear("charge.dispute.closed", dispute.id)
        acknowledge("loss")

    def kept(self) -> set[str]:
        disputes = Dispute.objects.filter(payment__user=self.user)
        found = {"dispute": disputes.exists(), "loss": disputes.filter(status="lost").exists()}
        return super().kept() | {step for step, there in found.items() if there}

    def outcome(self) -> tuple[Any, ...]:
        order = Order.objects.get(user=self.user)
        payment = order.payments.get()
        stock = Stock.objects.get(pk=self.product.pk)
        dispute = payment.disputes.get()
        counts = (stock.on_hand, stock.held)
        return order.status, payment.status, payment.captured, dispute.status, counts


def visited() -> list[tuple[type[Sale], str]]:
    """Each point with a script that comes by; in `make prove` our own points with both."""
    ours = [point for point in POINTS if point not in PROVIDER_CALLS] if PROVE else []
    sales = [(Sale, point) for point in POINTS if point != "retrieve_dispute"]
    return [*sales, *((Complaint, point) for point in ("retrieve_dispute", *ours))]


def check(sale: Sale, sandbox: Any, acknowledged: list[str]) -> None:
    sale.catch_up()
    assert set(acknowledged) <= sale.kept(), "something acknowledged is lost"
    assert invariants.breaches() == []
    sale.script(lambda step: None)
    sale.drain(later=True)
    assert sale.outcome() == sale.done
    assert sale.at_stripe(sandbox) == sale.done_at_stripe
    assert not OutboxMessage.objects.filter(done_at=None).exists()
    assert invariants.breaches() == []


@pytest.mark.proof(
    "Fail points",
    size=f"{len(visited())} points, before and after "
    + (f"1 in {STEP} of many visits" if STEP > 1 else "every visit"),
    control="test_control_with_nobody_to_catch_up_a_charge_is_unsettled",
)
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("story", "point"), visited())
def test_killed_at_any_visit_of_a_point_it_ends_as_one_run(
    sandbox: Any, drain: Any, tmp_path: Path, story: type[Sale], point: str, when: str
) -> None:
    if story not in VISITS:
        undisturbed = run_forked(story(drain).script, tmp_path)
        assert undisturbed.acknowledged == list(story.steps)
        VISITS[story] = undisturbed.visits
    visits = VISITS[story][point]
    assert visits > 0
    for visit in range(1, visits + 1, STEP if visits > FEW else 1):
        sale = story(drain)
        run = run_forked(sale.script, tmp_path, Kill(point, when, visit))
        assert run.killed, f"{point} was not visited {visit} times"
        check(sale, sandbox, run.acknowledged)


def test_every_call_of_the_provider_is_a_point() -> None:
    """What the gateway offers, but for its listings and what is no call at all."""
    offered = {
        name
        for name, thing in inspect.getmembers(gateway, inspect.isfunction)
        if thing.__module__ == gateway.__name__
        and name.startswith(("create_", "confirm_", "cancel_", "retrieve_"))
    }
    assert offered == set(PROVIDER_CALLS)


def test_control_with_nobody_to_catch_up_a_charge_is_unsettled(
    sandbox: Any, drain: Any, tmp_path: Path
) -> None:
    sale = Sale(drain)
    run_forked(sale.script, tmp_path, Kill("confirm_intent", "after", 1))
    OutboxMessage.objects.all().delete()
    sale.catch_up()
    assert sale.at_stripe(sandbox)[1] == [1000]
    assert "confirm" not in sale.kept()


def test_control_without_a_key_of_ours_a_killed_call_makes_a_second_intent(
    sandbox: Any, drain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = gateway.create_intent
    monkeypatch.setattr(
        gateway, "create_intent", lambda **kw: create(**{**kw, "key": uuid.uuid4().hex})
    )
    sale = Sale(drain)
    run_forked(sale.script, tmp_path, Kill("create_intent", "after", 1))
    sale.catch_up()
    assert sale.at_stripe(sandbox)[0] == [2]
