"""A world for every task: what it is called with, and the state that it is to end in.

A new task needs a line in `CASES`; `test_tasks_repeat.py` fails for a task that has none.
"""

from collections import Counter
from datetime import timedelta
from typing import Any

from celery import current_app
from django.core import mail
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from accounts.ledger import services as ledger
from accounts.ledger.models import Hold, Posting, PostingMark, Transfer
from accounts.ledger.rules import customer
from accounts.ledger.selectors import balances_of, trial_balance
from common import clock
from common.audit.models import AuditBatch, AuditEntry
from common.audit.services import record as audit
from common.fields import sums
from common.outbox.models import OutboxMessage
from config.metrics import rounds
from payments.checkout import services as checkout
from payments.checkout.services import Placed
from payments.intake import services as machine
from payments.intake.models import Payment, PaymentEvent, Refund
from payments.market.models import CoinPrice, MarketTurn
from payments.market.rules.coins import COINS
from payments.statistics.models import MethodDay, MethodHour
from payments.stripe import gateway
from payments.stripe import services as stripe_services
from payments.stripe.models import StripeIntent, StripeRefund, WebhookEvent
from shop.models import FlashRun, Order, SalesDay, SalesHour, Stock
from tests.factories import wallet as money
from tests.factories.events import stored_event
from tests.factories.flash import daily, live_run
from tests.factories.users import UserFactory
from tests.faults import coin_cases
from tests.faults.cases import Case, Prepare
from tests.faults.cleanup_task_cases import CLEANUP_CASES
from tests.faults.coin_task_cases import COIN_CASES
from tests.faults.history_task_cases import HISTORY_CASES
from tests.faults.sheet_task_cases import SHEET_CASES
from tests.races.parallel import capture_of, order_of_one

APPS = ("accounts", "common", "config", "dashboards", "payments", "shop")


def registered() -> list[str]:
    """The names of all tasks of the project; those of Celery and of tests are not ours."""
    current_app.loader.import_default_modules()
    ours = (name for name, task in current_app.tasks.items() if _is_ours(task))
    return sorted(ours)


def _is_ours(task: Any) -> bool:
    return str(task.__module__).partition(".")[0] in APPS


def confirmed() -> Placed:
    placed = order_of_one()
    stripe_services.payment_confirm(payment_id=placed.payment.pk, payment_method="pm_card_visa")
    return placed


def paid() -> Placed:
    placed = confirmed()
    stripe_services.intent_sync(payment_id=placed.payment.pk)
    return placed


def ask_refund(placed: Placed) -> Refund:
    return machine.refund_request(
        payment_id=placed.payment.pk,
        amount=600,
        lines={},
        restock=False,
        reason="a test",
        actor_id=None,
    )


def of_order(placed: Placed, sandbox: Any, **payload: Any) -> Case:
    return Case(lambda: state_of(placed, sandbox), payload)


def of_payment(placed: Placed, sandbox: Any) -> Case:
    return of_order(placed, sandbox, payment_id=placed.payment.pk)


def state_of(placed: Placed, sandbox: Any) -> tuple[Any, ...]:
    """Everything of an order that one more run could change, here and at Stripe."""
    payment = Payment.objects.get(pk=placed.payment.pk)
    order = Order.objects.get(pk=placed.order.pk)
    stock = Stock.objects.get(product__order_lines__order=order)
    intent = payment.stripe_intent.intent_id
    return (
        (payment.status, payment.captured, payment.refunded, payment.refund_pending),
        (order.status, order.refunded, order.deadline_suspended),
        (stock.on_hand, stock.held),
        sorted(payment.events.values_list("kind", flat=True)),
        order.events.count(),
        len(sandbox.charges(intent)),
        len(sandbox.refunds(intent)),
        mails_to(placed.order.user.email),
    )


def mails_to(address: str) -> int:
    return sum(address in letter.to for letter in mail.outbox)


def open_intent(sandbox: Any) -> Case:
    placed = order_of_one()
    StripeIntent.objects.filter(payment=placed.payment).delete()
    return of_payment(placed, sandbox)


def cancel_intent(sandbox: Any) -> Case:
    placed = order_of_one()
    checkout.order_cancel(order_id=placed.order.pk, actor_id=placed.order.user_id)
    return of_payment(placed, sandbox)


def sync_intent(sandbox: Any) -> Case:
    return of_payment(confirmed(), sandbox)


def resolve_attempt(sandbox: Any) -> Case:
    """A confirm call that died before it asked."""
    placed = order_of_one()
    stripe_services.confirm._start(placed.payment.pk, "pm_card_visa")
    return of_payment(placed, sandbox)


def process_event(sandbox: Any) -> Case:
    placed = confirmed()
    intent = {"id": placed.payment.stripe_intent.intent_id}
    event = stored_event("payment_intent.succeeded", intent)
    return Case(
        lambda: (state_of(placed, sandbox), WebhookEvent.objects.get(pk=event.pk).state),
        {"event_pk": event.pk},
    )


def send_refund(sandbox: Any) -> Case:
    placed = paid()
    return of_order(placed, sandbox, refund_id=ask_refund(placed).pk)


def sync_refund(sandbox: Any) -> Case:
    """Stripe has paid back; the process that asked died before it wrote more than the id."""
    placed = paid()
    refund = ask_refund(placed)
    intent = StripeIntent.objects.get(payment=placed.payment)
    answer = gateway.create_refund(
        refund_uid=str(refund.uid), intent_id=intent.intent_id, amount=refund.amount
    )
    StripeRefund.objects.create(refund=refund, stripe_id=answer.id)
    return of_order(placed, sandbox, refund_id=refund.pk)


def expire_overdue(sandbox: Any) -> Case:
    placed = order_of_one()
    Order.objects.filter(pk=placed.order.pk).update(expires_at=F("placed_at"))
    return of_order(placed, sandbox)


def poll(sandbox: Any) -> Case:
    """Stripe's events were lost, and the time to ask has come."""
    placed = confirmed()
    StripeIntent.objects.filter(payment=placed.payment).update(next_poll_at=Now())
    return of_order(placed, sandbox)


def reconcile(sandbox: Any) -> Case:
    return of_order(confirmed(), sandbox)


def sweep(sandbox: Any) -> Case:
    placed = confirmed()
    OutboxMessage.objects.filter(done_at=None).update(sent_at=None, next_attempt_at=Now())
    return of_order(placed, sandbox)


def notice(sandbox: Any) -> Case:
    placed = paid()
    event = PaymentEvent.objects.get(payment=placed.payment, kind="succeeded")
    return Case(lambda: mails_to(placed.order.user.email), {"event_id": event.pk})


def send_reset(sandbox: Any) -> Case:
    user = UserFactory()
    return Case(lambda: mails_to(user.email), {"email": user.email, "nonce": user.uid.hex})


def send_verification(sandbox: Any) -> Case:
    user = UserFactory(email_verified_at=None)
    return Case(lambda: mails_to(user.email), {"user_id": user.pk, "nonce": user.uid.hex})


def expire_holds(sandbox: Any) -> Case:
    user = UserFactory()
    deposit = checkout.deposit_open(user_id=user.pk, method="stripe", amount=500, currency="USD")
    machine.payment_settle(payment_id=deposit.pk, capture=capture_of(deposit))
    mine = customer(user.pk, "USD")
    ledger.hold_what_is_there(
        reference=f"hold:{user.pk}", account=mine, amount=300, about=f"test:{user.pk}"
    )
    holds = Hold.objects.filter(reference=f"hold:{user.pk}")
    holds.update(expires_at=Now() - timedelta(minutes=1))
    return Case(lambda: (holds.get().status, balances_of(user.pk)))


def carry_sums(sandbox: Any) -> Case:
    """A transfer that is old enough to be summed, and one that is not yet."""
    old = money.aged(Transfer.objects.get(reference=f"test:{money.rich()}"))
    money.rich()

    def state() -> tuple[bool, dict[Any, int]]:
        """Whether it was, and what the trial balance has too much."""
        found = sums(Posting.objects.all(), "currency", "side")
        for row in trial_balance():
            for side in ("debit", "credit"):
                found[row["currency"], side] -= row[side]
        return PostingMark.objects.get().until >= old.pk, {k: n for k, n in found.items() if n}

    return Case(state)


def seal(sandbox: Any) -> Case:
    """Each entry is in one batch, and no batch is empty."""
    target = f"test:{UserFactory().pk}"
    with transaction.atomic():
        audit(actor_id=None, action="test", target=target, data={})
    entries = AuditEntry.objects.filter(target=target)
    empty = AuditBatch.objects.filter(entries=0)
    return Case(lambda: (entries.exclude(seal=None).count(), empty.count()))


def check_invariants(sandbox: Any) -> Case:
    return of_order(paid(), sandbox)


def flash_sweep(sandbox: Any) -> Case:
    """A run past its time, with a paid purchase that has no position yet."""
    run = live_run(units=3)
    placed = checkout.flash_purchase(
        user_id=UserFactory().pk, slug=run.sale.slug, quantity=1, method="stripe"
    ).placed
    machine.payment_settle(payment_id=placed.payment.pk, capture=capture_of(placed.payment))
    run.purchases.update(paid_at=run.starts_at)
    FlashRun.objects.filter(pk=run.pk).update(ends_at=Now())
    stock = Stock.objects.filter(product__flash_sales__runs=run)
    return Case(
        lambda: (
            FlashRun.objects.get(pk=run.pk).end,
            stock.get().on_hand,
            list(run.units.order_by("number").values_list("state", flat=True)),
            list(run.purchases.values_list("position", flat=True)),
        )
    )


def count_sales(sandbox: Any) -> Case:
    """An order that is paid and not counted yet."""
    product_id = paid().order.lines.get().product_id
    kept = ("orders", "units", "amount", "refunded_units", "refunded")

    def state() -> list[Any]:
        tables = (SalesHour.objects, SalesDay.objects)
        return [list(rows.filter(product=product_id).values_list(*kept)) for rows in tables]

    return Case(state)


def count_methods(sandbox: Any) -> Case:
    """Orders that are paid, one of them with money given back, and none counted yet."""
    refund = ask_refund(paid())
    # Otherwise it is decided at one moment or another of what follows, and counted or not.
    machine.refund_settle(refund_id=refund.pk, succeeded=True)
    before = _sums_of_methods()
    paid()
    return Case(lambda: _sums_of_methods() - before)


def _sums_of_methods() -> Counter[str]:
    """Of all ways to pay, by hour and by day."""
    found: Counter[str] = Counter()
    for table in (MethodHour, MethodDay):
        for row in table.objects.values():
            for name in ("orders", "amount", "refunds", "refunded"):
                found[f"{table.__name__} {name}"] += row[name]
    return found


def flash_plan(sandbox: Any) -> Case:
    """A daily schedule, an hour late still with its moment ahead; the stock is for one run."""
    run = live_run(units=1, stock=4, ends=True)
    schedule = daily(run.sale, units=3)
    return Case(
        lambda: (
            list(run.sale.runs.order_by("number").values_list("number", "allocation")),
            list(schedule.occurrences.order_by("pk").values_list("state", "problem")),
            Stock.objects.get(product=run.sale.product).on_hand,
        )
    )


def market_tick(sandbox: Any) -> Case:
    """However often it is time, each coin has its prices once by the provider's own moments."""
    CoinPrice.objects.all().delete()
    MarketTurn.objects.all().delete()
    # What was before is filled in once, and takes a while.
    names = [f"history:simulated:{coin.id}" for coin in COINS]
    MarketTurn.objects.bulk_create(MarketTurn(name=name) for name in names)
    rows = CoinPrice.objects.values_list("provider", "coin", "updated_at")
    return Case(lambda: (len({row[1] for row in rows.all()}), len(rows.all()) - len(set(rows))))


def market_forget(sandbox: Any) -> Case:
    """Of 101 prices two are old enough, and one of these is among the newest hundred."""
    CoinPrice.objects.all().delete()
    now = clock.now()
    ages = [*range(99), 200 * 1440, 201 * 1440]
    CoinPrice.objects.bulk_create(
        CoinPrice(
            provider="simulated", coin="bitcoin", updated_at=now - timedelta(minutes=age), price=1
        )
        for age in ages
    )
    return Case(CoinPrice.objects.count)


def pulse(sandbox: Any) -> Case:
    return Case(lambda: (rounds.age("mail") or 99) < 60, {"queue": "mail"})


CASES: dict[str, Prepare] = {
    **CLEANUP_CASES,
    **COIN_CASES,
    **HISTORY_CASES,
    **SHEET_CASES,
    "accounts.credentials.send_reset": send_reset,
    "accounts.credentials.send_verification": send_verification,
    "accounts.ledger.carry_sums": carry_sums,
    "accounts.ledger.expire_holds": expire_holds,
    "common.audit.seal": seal,
    "common.outbox.sweep": sweep,
    "config.check_invariants": check_invariants,
    "config.pulse": pulse,
    "payments.checkout.expire_overdue": expire_overdue,
    "payments.exchange.reconcile": coin_cases.reconcile,
    "payments.exchange.settle_batch": coin_cases.settle_batch,
    "payments.exchange.sweep": coin_cases.sweep,
    "payments.market.forget": market_forget,
    "payments.market.tick": market_tick,
    "payments.market.update": market_tick,
    "payments.notices.send": notice,
    "payments.stripe.cancel_intent": cancel_intent,
    "payments.stripe.open_intent": open_intent,
    "payments.stripe.poll": poll,
    "payments.stripe.process_event": process_event,
    "payments.stripe.reconcile": reconcile,
    "payments.stripe.resolve_attempt": resolve_attempt,
    "payments.stripe.send_refund": send_refund,
    "payments.stripe.sync_intent": sync_intent,
    "payments.stripe.sync_refund": sync_refund,
    "shop.flash_sales.sweep": flash_sweep,
    "shop.flash_schedules.plan": flash_plan,
    "shop.statistics.count": count_sales,
    "payments.statistics.count": count_methods,
}
