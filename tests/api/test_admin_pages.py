"""The Django admin: pages open, history stays as it is, money and stock go by the services."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.db import connection, transaction
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.ledger.rules import Kind, customer, house, move
from accounts.ledger.services import hold_place, transfer_post
from common.admin.base import ReadOnlyAdmin
from common.models import OutboxMessage
from common.outbox.services import enqueue
from payments.checkout.services import flash_purchase
from payments.crypto.models import Scan
from payments.exchange.models import ExchangeAttempt, ExchangeBatch, ExchangeOrder
from payments.intake.models import Payment
from payments.intake.services import refund_request
from payments.market.models import ProviderState
from payments.market.rules.budgets import Purpose
from payments.market.rules.coins import COINS
from payments.market.services import prices_refresh
from payments.notices.services import notices_skip
from payments.risk.models import RiskHit
from payments.stripe.models import StripeIntent, WebhookEvent
from shop.flash_schedules.services import schedules_plan
from shop.models import Order, Stock
from shop.orders.rules import Fulfilment, Status
from tests.factories.admin import pages, paid, placed, quiet_provider, root, send, text_of
from tests.factories.coins import ask_back, paid_in_coins
from tests.factories.exchange import fund, listed
from tests.factories.flash import daily, live_run
from tests.factories.market import priced
from tests.factories.risk import allowed
from tests.factories.shop import CategoryFactory, ProductFactory
from tests.factories.users import StaffFactory
from tests.sizes import sized

__all__ = ["quiet_provider", "root"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quiet_provider")]

REGISTERED = sorted(admin.site._registry, key=lambda model: model._meta.label)
HISTORIES = [m for m in REGISTERED if isinstance(admin.site._registry[m], ReadOnlyAdmin)]


def fill() -> None:
    """A row of everything that has an admin page."""
    payment = paid()
    StripeIntent.objects.create(
        payment=payment, intent_id=f"pi_{payment.pk}", client_secret="pi_secret_x", status="ok"
    )
    refund_request(
        payment_id=payment.pk, amount=100, lines={}, restock=False, reason="x", actor_id=None
    )
    WebhookEvent.objects.create(
        event_id=f"evt_{payment.pk}", kind="x", payload={"client_secret": "pi_secret_y"}
    )
    notices_skip(user_id=payment.user_id)
    wallet = customer(payment.user_id, "USD")
    deposit = move(500, debit=house(Kind.STRIPE_CLEARING, "USD"), credit=wallet)
    transfer_post(reference=f"d:{payment.pk}", kind="deposit", entries=deposit)
    hold_place(reference=f"h:{payment.pk}", account=wallet, amount=100)
    CategoryFactory()
    Group.objects.create(name=f"group {payment.pk}")
    run = live_run(units=2)
    flash_purchase(user_id=payment.user_id, slug=run.sale.slug, quantity=1, method="stripe")
    daily(run.sale)
    allowed()
    RiskHit.objects.create(user_id=payment.user_id, rule="user", action="refuse")
    schedules_plan()
    priced()
    coins_in_every_room(payment.user)
    ProviderState.objects.get_or_create(provider="coingecko")
    prices_refresh(coins=COINS, purpose=Purpose.TICK)
    ask_back(paid_in_coins())
    Scan.objects.get_or_create(chain_id=31337, number=1, hash="0x1")


def coins_in_every_room(user: Any) -> None:
    """An exchange order whose batch has been tried, without a venue that would be asked."""
    row = listed("ABAN")
    hold = hold_place(
        reference=f"x:{fund(user, 500).uid}:{ExchangeBatch.objects.count()}",
        account=customer(user.pk, "USD"),
        amount=400,
    )
    frozen = {"state": "sealed", "sealed_at": Now(), "members": 1, "units": 1, "cost": 400}
    batch = ExchangeBatch.objects.create(currency=row, worth=row.price, **frozen)
    ExchangeOrder.objects.create(
        user=user,
        currency=row,
        amount=1,
        unit_price=row.price,
        price_source="fixed",
        cost=400,
        status="settling",
        batch=batch,
        hold=hold,
    )
    ExchangeAttempt.objects.create(
        batch=batch, number=1, client_order_id=f"{batch.uid}-1", units=1, open_for=batch.pk
    )


@pytest.mark.parametrize("model", REGISTERED, ids=lambda m: m._meta.label)
def test_every_list_and_every_row_opens(root: Client, model: Any) -> None:
    fill()
    assert root.get(pages(model, "changelist")).status_code == 200
    assert root.get(pages(model, "changelist"), {"q": "a"}).status_code == 200
    row = model.objects.order_by("-pk").first()
    answer = root.get(pages(model, "change", row.pk))
    assert answer.status_code == 200
    assert "pi_secret" not in text_of(answer)


@pytest.mark.parametrize("model", HISTORIES, ids=lambda m: m._meta.label)
def test_nobody_adds_edits_or_deletes_history(root: Client, model: Any) -> None:
    fill()
    row = model.objects.order_by("-pk").first()
    before = model.objects.values().get(pk=row.pk)
    made_by_a_form = admin.site._registry[model].add_form is not None
    for url in (
        *([] if made_by_a_form else [pages(model, "add")]),
        pages(model, "change", row.pk),
        pages(model, "delete", row.pk),
    ):
        assert root.post(url, {"status": "paid", "post": "yes"}).status_code == 403
    root.post(pages(model, "changelist"), {"action": "delete_selected", "_selected_action": row.pk})
    assert model.objects.values().get(pk=row.pk) == before


def queries(client: Client, url: str) -> int:
    with CaptureQueriesContext(connection) as caught:
        assert client.get(url).status_code == 200
    return len(caught)


def test_a_list_of_many_costs_as_many_queries_as_a_list_of_one(root: Client) -> None:
    def all_lists() -> dict[str, int]:
        return {m._meta.label: queries(root, pages(m, "changelist")) for m in REGISTERED}

    fill()
    all_lists()  # warms what is cached for the process
    few = all_lists()
    for _ in range(sized(5, 19)):
        fill()
    assert all_lists() == few


def test_a_page_with_many_parts_costs_as_many_queries_as_one_with_few(root: Client) -> None:
    payment = paid(9)
    stock = payment.order.lines.get().product.stock
    rows = (payment, payment.order, stock)

    def more() -> None:
        send(root, pages(Stock, "adjust", stock.pk), delta=1)
        refund_request(
            payment_id=payment.pk, amount=1, lines={}, restock=False, reason="x", actor_id=None
        )

    def all_pages() -> list[int]:
        return [queries(root, pages(type(row), "change", row.pk)) for row in rows]

    more()
    all_pages()
    few = all_pages()
    for _ in range(5):
        more()
    assert all_pages() == few


def test_amounts_are_dollars_and_rows_link_to_each_other(root: Client) -> None:
    payment = paid()
    order = text_of(root.get(pages(Order, "change", payment.order_id)))
    assert "$20.00" in order
    assert pages(Payment, "change", payment.pk) in order
    shown = text_of(root.get(pages(Payment, "change", payment.pk)))
    assert pages(Order, "change", payment.order_id) in shown
    assert reverse("admin:accounts_user_change", args=[payment.user_id]) in shown


def test_a_delta_and_a_count_change_the_stock_with_a_movement(root: Client) -> None:
    stock = ProductFactory(stock=5).stock
    answer = send(root, pages(Stock, "adjust", stock.pk), delta=7, reason="delivery")
    assert "changed by +7" in text_of(answer)
    send(root, pages(Stock, "adjust", stock.pk), counted=3)
    stock.refresh_from_db()
    assert stock.on_hand == 3
    assert list(stock.movements.order_by("pk").values_list("delta", flat=True)) == [5, 7, -9]
    assert stock.movements.get(delta=7).actor.is_superuser


def test_nothing_changes_before_the_form_is_confirmed(root: Client) -> None:
    stock = ProductFactory(stock=5).stock
    url = pages(Stock, "adjust", stock.pk)
    answer = root.post(url, {"once": "k" * 32, "delta": 7, "reason": "delivery"})
    assert "5 units on hand become 12" in text_of(answer)
    assert root.get(url).status_code == 200
    stock.refresh_from_db()
    assert stock.on_hand == 5


def test_a_form_sent_twice_is_carried_out_once(root: Client) -> None:
    stock = ProductFactory(stock=5).stock
    for words in ("changed by +7", "carried out before"):
        answer = send(root, pages(Stock, "adjust", stock.pk), delta=7, once="same-form")
        assert words in text_of(answer)
    stock.refresh_from_db()
    assert stock.on_hand == 12


def test_stock_below_what_is_held_is_refused_and_the_form_kept(root: Client) -> None:
    stock = placed(2).lines.get().product.stock
    url = pages(Stock, "adjust", stock.pk)
    answer = send(root, url, counted=1, reason="my long reason", once="same-form")
    assert "Stock cannot go below" in text_of(answer)
    assert "my long reason" in text_of(answer)
    stock.refresh_from_db()
    assert stock.on_hand == 5
    assert "changed by -1" in text_of(send(root, url, counted=4, once="same-form"))


@pytest.mark.parametrize(
    "data", [{}, {"delta": 1, "counted": 1}, {"delta": 0}, {"delta": 1, "reason": ""}]
)
def test_an_adjustment_that_says_nothing_clear_is_sent_back(
    root: Client, data: dict[str, Any]
) -> None:
    stock = ProductFactory(stock=5).stock
    assert "Please correct" in text_of(send(root, pages(Stock, "adjust", stock.pk), **data))


def test_low_stock_counts_what_is_available(root: Client) -> None:
    ProductFactory(stock=5, name="Few")
    ProductFactory(stock=50, name="Many")
    shown = text_of(root.get(pages(Stock, "changelist"), {"level": "low"}))
    assert "Few" in shown
    assert "Many" not in shown


def test_an_unpaid_order_is_cancelled_and_a_paid_one_is_not(root: Client) -> None:
    open_order, done = placed(), paid().order
    send(root, pages(Order, "cancel", open_order.pk))
    answer = send(root, pages(Order, "cancel", done.pk))
    assert "cannot become cancelled" in text_of(answer)
    states = [Order.objects.get(pk=order.pk).status for order in (open_order, done)]
    assert states == [Status.CANCELLED, Status.PAID]
    assert open_order.lines.get().product.stock.held == 0


def test_buttons_are_shown_where_they_fit(root: Client) -> None:
    open_order, done = placed(), paid().order
    assert "Cancel order" in text_of(root.get(pages(Order, "change", open_order.pk)))
    assert "Cancel order" not in text_of(root.get(pages(Order, "change", done.pk)))


def test_fulfilling_many_orders_names_the_refused_one_and_does_the_rest(root: Client) -> None:
    unpaid, first, second = placed(), paid().order, paid().order
    answer = root.post(
        pages(Order, "changelist"),
        {"action": "fulfil", "_selected_action": [unpaid.pk, first.pk, second.pk]},
        follow=True,
    )
    assert "2 fulfilled." in text_of(answer)
    assert f"{unpaid.number}: The order is pending_payment" in text_of(answer)
    assert Order.objects.filter(fulfilment=Fulfilment.DONE).count() == 2
    assert send(root, pages(Order, "fulfil", first.pk)).status_code == 200
    assert first.events.filter(field="fulfilment").count() == 1


def test_a_webhook_event_is_processed_again_by_the_outbox(
    root: Client, drain: Callable[..., int]
) -> None:
    event = WebhookEvent.objects.create(
        event_id="evt_1", kind="x.y", payload={"data": {"object": {}}}, state="processed"
    )
    root.post(
        pages(WebhookEvent, "changelist"),
        {"action": "process_again", "_selected_action": event.pk},
    )
    event.refresh_from_db()
    assert event.state == "received"
    drain()
    event.refresh_from_db()
    assert event.state == "ignored"


def test_run_again_hurries_waiting_messages_and_leaves_the_others(root: Client) -> None:
    with transaction.atomic():
        waiting = enqueue("payments.stripe.poll", delay=600)
        leased = enqueue("payments.stripe.poll", delay=600)
        done = enqueue("payments.stripe.poll", delay=600)
    now = OutboxMessage.objects.get(pk=done.pk).created_at
    OutboxMessage.objects.filter(pk=leased.pk).update(sent_at=now)
    OutboxMessage.objects.filter(pk=done.pk).update(done_at=now)
    chosen = [waiting.pk, leased.pk, done.pk]
    answer = root.post(
        pages(OutboxMessage, "changelist"),
        {"action": "run_again", "_selected_action": chosen},
        follow=True,
    )
    assert "1 will run" in text_of(answer)
    assert "2 left alone" in text_of(answer)
    for message, hurried in ((waiting, True), (leased, False), (done, False)):
        due = OutboxMessage.objects.get(pk=message.pk).next_attempt_at
        assert (due < now + timedelta(seconds=60)) == hurried


def test_overdue_messages_are_filtered(root: Client) -> None:
    with transaction.atomic():
        enqueue("payments.stripe.poll", delay=-3600)
        enqueue("payments.stripe.sync_intent", delay=3600)
    shown = root.get(pages(OutboxMessage, "changelist"), {"state": "overdue"})
    assert shown.context["cl"].result_count == 1


@pytest.mark.parametrize("power", ["view", "change"])
def test_model_permissions_decide_who_may_look_and_who_may_act(power: str) -> None:
    clerk, client, stock = StaffFactory(), Client(), ProductFactory(stock=5).stock
    client.force_login(clerk)
    url = pages(Stock, "adjust", stock.pk)
    assert client.get(pages(Stock, "changelist")).status_code == 403
    clerk.user_permissions.add(Permission.objects.get(codename=f"{power}_stock"))
    page = client.get(pages(Stock, "change", stock.pk))
    assert page.status_code == 200
    may_act = power == "change"
    assert ("Adjust stock" in text_of(page)) == may_act
    assert client.get(url).status_code == (200 if may_act else 403)


@pytest.mark.parametrize("path", ["/api/docs/", "/swagger/", "/api/redoc/", "/redoc/", "/admin/"])
def test_pages_load_nothing_from_another_host(root: Client, path: str) -> None:
    page = text_of(root.get(path))
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in page
    assert 'rel="icon"' in page
