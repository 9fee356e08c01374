"""What staff see of Stripe's events, and how they have one processed again."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse

from common.audit.models import AuditEntry
from common.outbox.models import OutboxMessage
from payments.intake.models import Payment, PaymentEvent
from payments.stripe import gateway
from payments.stripe.models import StripeIntent, WebhookEvent
from payments.stripe.services import webhooks
from tests.factories.events import stored_event
from tests.factories.orders import STAFF, get_order, own_rollbacks, place, post, settled
from tests.factories.shop import ProductFactory
from tests.factories.users import SuperuserFactory

__all__ = ["own_rollbacks", "settled"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "settled", "sandbox")]
EVENTS = f"{STAFF}webhook-events/"


def paid_event(api: Any) -> WebhookEvent:
    """The event of a payment in the browser, stored and not processed."""
    ProductFactory(slug="a", list_price=1000, stock=5)
    intent = place(api, ("a", 1))["payment"]["stripe"]["payment_intent"]
    gateway.confirm_intent(intent, payment_method="pm_card_visa", idempotency_key=intent)
    return stored_event("payment_intent.succeeded", {"id": intent})


def replay(client: Any, event: WebhookEvent, key: str | None = None) -> Any:
    return post(client, f"{EVENTS}{event.event_id}/replay/", key=key)


def seen(client: Any, event: WebhookEvent) -> tuple[str, str, int]:
    body = client.get(f"{EVENTS}{event.event_id}/").json()
    return body["state"], body["error"], body["attempts"]


def totals() -> tuple[Any, ...]:
    payment = Payment.objects.get()
    return payment.status, payment.captured, PaymentEvent.objects.count()


class TestReplay:
    def test_of_one_that_was_never_processed_settles_the_payment(
        self, api: Any, staff_api: Any, drain: Any
    ) -> None:
        event = paid_event(api)
        answer = replay(staff_api, event)
        assert (answer.status_code, answer.json()["state"]) == (202, "received")
        drain()
        assert seen(staff_api, event) == ("processed", "", 1)
        assert Payment.objects.get().status == "succeeded"

    def test_of_one_that_was_processed_counts_nothing_twice(
        self, api: Any, staff_api: Any, drain: Any
    ) -> None:
        event = paid_event(api)
        webhooks.webhook_process(event_pk=event.pk)
        before = totals()
        for attempts in (2, 3):
            assert replay(staff_api, event).status_code == 202
            drain()
            assert seen(staff_api, event) == ("processed", "", attempts)
        assert totals() == before

    def test_of_one_that_failed_does_what_it_could_not(
        self, api: Any, staff_api: Any, drain: Any, sandbox: Any
    ) -> None:
        event = paid_event(api)
        sandbox.fault("http", "status", match="GET /v1/payment_intents/*", status=500, times=2)
        replay(staff_api, event)
        drain()
        assert seen(staff_api, event) == ("received", "ServerFault", 1)
        OutboxMessage.objects.all().delete()
        replay(staff_api, event)
        drain()
        assert seen(staff_api, event) == ("processed", "", 2)
        assert Payment.objects.get().status == "succeeded"

    def test_of_one_that_was_ignored_finds_what_has_appeared(
        self, api: Any, staff_api: Any, drain: Any
    ) -> None:
        event = paid_event(api)
        event.payload["data"]["object"]["metadata"] = {"payment": str(Payment.objects.get().uid)}
        event.save()
        uid = Payment.objects.get().uid
        StripeIntent.objects.all().delete()
        Payment.objects.update(uid="00000000-0000-0000-0000-000000000001")
        WebhookEvent.objects.update(received_at=Now() - timedelta(hours=25))
        webhooks.webhook_process(event_pk=event.pk)
        assert seen(staff_api, event)[0] == "ignored"
        Payment.objects.update(uid=uid)
        replay(staff_api, event)
        drain()
        assert seen(staff_api, event)[0] == "processed"
        assert Payment.objects.get().status == "succeeded"

    def test_is_keyed_and_audited(self, api: Any, staff_api: Any, drain: Any) -> None:
        event = stored_event(state="ignored", error="old")
        answers = [replay(staff_api, event, "k") for _ in range(2)]
        assert [answer.status_code for answer in answers] == [202, 202]
        assert answers[1]["Idempotent-Replayed"] == "true"
        (entry,) = AuditEntry.objects.filter(action="webhook.replay")
        assert entry.target == f"webhook:{event.event_id}"
        assert entry.data == {"state": "ignored", "error": "old"}
        assert drain() == 1

    def test_is_for_staff_only(self, api: Any, client: Client) -> None:
        event = stored_event(state="ignored")
        url = f"{EVENTS}{event.event_id}/"
        assert [api.get(EVENTS).status_code, api.get(url).status_code] == [403, 403]
        assert replay(api, event).status_code == 403
        assert client.post(f"{url}replay/").status_code == 401
        assert WebhookEvent.objects.get().state == "ignored"

    def test_in_the_admin_is_a_button_that_works_once(self, client: Client, drain: Any) -> None:
        root = SuperuserFactory()
        client.force_login(root)
        event = stored_event(state="ignored", error="why it was")
        page = reverse("admin:payments_webhookevent_change", args=[event.pk])
        url = reverse("admin:payments_webhookevent_replay", args=[event.pk])
        text = client.get(page).content.decode()
        assert "why it was" in text
        assert url in text
        for _ in range(2):
            client.post(url, {"once": "x", "confirmed": "1"})
        assert drain() == 1
        assert AuditEntry.objects.get(action="webhook.replay").actor_id == root.pk
        event.refresh_from_db()
        assert (event.state, event.attempts) == ("ignored", 1)


class TestErrors:
    def test_a_kind_that_is_not_handled_is_ignored_with_the_reason(self, staff_api: Any) -> None:
        event = stored_event("customer.created")
        webhooks.webhook_process(event_pk=event.pk)
        assert seen(staff_api, event) == ("ignored", "this kind of event is not handled", 1)

    def test_somebody_elses_intent_is_ignored_with_the_reason(self, staff_api: Any) -> None:
        event = stored_event("payment_intent.succeeded", {"id": "pi_other", "metadata": {}})
        webhooks.webhook_process(event_pk=event.pk)
        assert seen(staff_api, event) == ("ignored", "it is about nothing of ours", 1)

    @pytest.mark.parametrize(
        ("kind", "about", "missing"),
        [
            (
                "payment_intent.succeeded",
                {"id": "pi_1", "metadata": {"payment": "00000000-0000-0000-0000-000000000009"}},
                "pi_1",
            ),
            ("charge.dispute.created", {"id": "dp_1"}, "resource_missing"),
            ("refund.created", {"id": "re_1"}, "resource_missing"),
        ],
    )
    def test_what_never_appears_is_given_up_after_a_day(
        self, staff_api: Any, drain: Any, kind: str, about: Any, missing: str
    ) -> None:
        event = stored_event(kind, about)
        replay(staff_api, event)
        drain()
        assert seen(staff_api, event) == ("received", f"NotYetKnown: {missing}", 1)
        WebhookEvent.objects.update(received_at=Now() - timedelta(hours=23))
        drain(later=True)
        assert seen(staff_api, event)[0] == "received"
        WebhookEvent.objects.update(received_at=Now() - timedelta(hours=25))
        drain(later=True)
        state, error, _ = seen(staff_api, event)
        assert (state, error) == ("ignored", f"given up after 24 hours: {missing}")
        assert not OutboxMessage.objects.filter(done_at=None).exists()

    def test_an_event_without_its_object_says_what_it_ran_into(self, staff_api: Any) -> None:
        event = stored_event("refund.created")
        WebhookEvent.objects.update(payload={"id": event.event_id})
        with pytest.raises(KeyError):
            webhooks.webhook_process(event_pk=event.pk)
        assert seen(staff_api, event) == ("received", "KeyError", 1)


class TestList:
    def test_newest_first_by_state_and_kind_page_by_page(self, staff_api: Any) -> None:
        made = [stored_event() for _ in range(3)]
        other = stored_event("x.y", state="ignored", error="because")
        page = staff_api.get(EVENTS, {"page_size": 3}).json()
        names = [row["id"] for row in page["results"]]
        assert names == [event.event_id for event in (other, made[2], made[1])]
        assert len(staff_api.get(page["next"]).json()["results"]) == 1
        for query in ({"state": "ignored"}, {"kind": "x.y"}):
            (row,) = staff_api.get(EVENTS, query).json()["results"]
            assert (row["id"], row["error"]) == (other.event_id, "because")
        assert staff_api.get(EVENTS, {"state": "lost"}).status_code == 400

    def test_nobody_can_pay_with_what_is_shown(
        self, api: Any, staff_api: Any, deliver: Any
    ) -> None:
        paid_event(api)
        deliver()
        shown = {event.kind: event for event in WebhookEvent.objects.all()}
        event = shown["payment_intent.created"]
        assert "client_secret" in event.payload["data"]["object"]
        secret = event.payload["data"]["object"]["client_secret"]
        for answer in (staff_api.get(EVENTS), staff_api.get(f"{EVENTS}{event.event_id}/")):
            assert answer.status_code == 200
            assert "client_secret" not in answer.content.decode()
            assert secret not in answer.content.decode()
        about = answer.json()["payload"]["data"]["object"]
        assert (about["id"], about["amount"]) == (event.payload["data"]["object"]["id"], 1000)

    def test_a_missing_one_is_404(self, staff_api: Any) -> None:
        assert staff_api.get(f"{EVENTS}evt_none/").status_code == 404
        assert post(staff_api, f"{EVENTS}evt_none/replay/", key="k").status_code == 404


def test_the_order_is_as_paid_after_any_number_of_replays(
    api: Any, staff_api: Any, drain: Any
) -> None:
    event = paid_event(api)
    for _ in range(3):
        replay(staff_api, event)
    assert drain() >= 3
    (order,) = api.get("/api/v1/orders/").json()["results"]
    assert get_order(api, order)["status"] == "paid"
    assert Payment.objects.get().captured == 1000
