"""A mail about an event goes once, whoever runs its task and however often."""

import time
from collections.abc import Callable
from datetime import timedelta
from email.message import EmailMessage
from smtplib import SMTPRecipientsRefused
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Now

from common.outbox.errors import TryLater
from common.outbox.models import OutboxMessage
from config import demo
from payments.intake.models import Payment, PaymentEvent
from payments.intake.services import Capture, payment_settle
from payments.notices import services
from payments.notices.models import Notice
from payments.notices.rules import GIVE_UP_AFTER, LEASE
from payments.notices.tasks import send
from shop.models import Product
from tests.factories.shop import ProductFactory
from tests.factories.users import UserFactory
from tests.races.parallel import in_parallel, paid_order

TASK = "payments.notices.send"


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Orders are placed without asking Stripe."""
    monkeypatch.setattr("payments.stripe.port.StripeGateway.open", lambda self, payment_id: None)


def paid_event() -> PaymentEvent:
    """The event of a payment that has just succeeded."""
    return paid_order().payment.events.get(kind="succeeded")


def failing(error: BaseException) -> Callable[..., Any]:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise error

    return fail


def state(event: PaymentEvent) -> str:
    return Notice.objects.get(event=event).state


@pytest.mark.django_db
@pytest.mark.usefixtures("no_network")
class TestOnce:
    def test_a_task_that_runs_twice_mails_once(self) -> None:
        event = paid_event()
        for _ in range(2):
            send(event_id=event.pk)
        assert len(mail.outbox) == 1
        assert state(event) == "sent"

    def test_every_event_enqueues_one_message(self) -> None:
        event = paid_event()
        rows = OutboxMessage.objects.filter(task=TASK)
        assert [row.payload for row in rows] == [{"event_id": event.pk}]

    def test_a_worker_that_dies_after_sending_has_it_sent_again_once_its_lease_is_over(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The one case of two mails: nobody knows whether the first one left."""
        event = paid_event()
        with monkeypatch.context() as patch:
            patch.setattr(services, "_end", failing(SystemExit()))
            with pytest.raises(SystemExit):
                send(event_id=event.pk)
        with pytest.raises(TryLater):
            send(event_id=event.pk)
        assert len(mail.outbox) == 1
        Notice.objects.update(claimed_until=Now() - LEASE)
        for _ in range(2):
            send(event_id=event.pk)
        assert len(mail.outbox) == 2


def slow_send(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Mails take a while; whether each was sent in a transaction."""
    inside: list[bool] = []
    real = mail.EmailMultiAlternatives.send

    def slowly(self: Any, *args: Any) -> int:
        inside.append(connection.in_atomic_block)
        time.sleep(0.5)
        return real(self, *args)

    monkeypatch.setattr(mail.EmailMultiAlternatives, "send", slowly)
    return inside


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("real_mysql", "no_network")
class TestParallel:
    @pytest.fixture(autouse=True)
    def _no_broker(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("common.outbox.services.send", lambda *args: None)

    def test_of_eight_workers_one_mails_outside_any_transaction(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        event, inside = paid_event(), slow_send(monkeypatch)
        results = in_parallel([lambda: send(event_id=event.pk)] * 8)
        assert [r for r in results if r is not None and not isinstance(r, TryLater)] == []
        assert len(mail.outbox) == 1
        assert inside == [False]

    def test_control_without_the_claim_all_of_them_mail(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        event = paid_event()
        slow_send(monkeypatch)
        monkeypatch.setattr(services, "_claim", lambda event_id: True)
        in_parallel([lambda: send(event_id=event.pk)] * 8)
        assert len(mail.outbox) == 8


@pytest.mark.django_db
@pytest.mark.usefixtures("no_network")
class TestServerDown:
    def test_the_outbox_tries_again_and_the_payment_stands(
        self, drain: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        event = paid_event()
        OutboxMessage.objects.exclude(task=TASK).delete()
        with monkeypatch.context() as patch:
            patch.setattr(mail.EmailMultiAlternatives, "send", failing(ConnectionRefusedError()))
            drain()
        message = OutboxMessage.objects.get()
        assert (message.done_at, message.last_error) == (None, "TryLater")
        assert Payment.objects.get().status == "succeeded"
        drain(later=True)
        assert len(mail.outbox) == 1
        assert state(event) == "sent"

    @pytest.mark.parametrize(("younger", "mails"), [(timedelta(minutes=1), 1), (timedelta(), 0)])
    def test_after_three_days_it_is_given_up(self, younger: timedelta, mails: int) -> None:
        event = paid_event()
        mine = QuerySet(PaymentEvent).filter(pk=event.pk)
        mine.update(created_at=Now() - (GIVE_UP_AFTER - younger))
        for _ in range(2):
            send(event_id=event.pk)
        assert len(mail.outbox) == mails
        assert state(event) == ("sent" if mails else "given_up")

    def test_an_address_that_does_not_exist_is_asked_once(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        event = paid_event()
        error = SMTPRecipientsRefused({"joe@x.org": (550, b"no such user")})
        with monkeypatch.context() as patch:
            patch.setattr(mail.EmailMultiAlternatives, "send", failing(error))
            send(event_id=event.pk)
        assert state(event) == "refused"
        send(event_id=event.pk)
        assert mail.outbox == []

    def test_one_that_is_busy_is_asked_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        event = paid_event()
        error = SMTPRecipientsRefused({"joe@x.org": (450, b"greylisted")})
        with monkeypatch.context() as patch:
            patch.setattr(mail.EmailMultiAlternatives, "send", failing(error))
            with pytest.raises(TryLater):
                send(event_id=event.pk)
        send(event_id=event.pk)
        assert len(mail.outbox) == 1


def bought(*, product: str, buyer: str) -> Any:
    """The mail about a paid order, of this product by somebody of this name."""
    placed = demo.order_place(
        user_id=UserFactory(name=buyer).pk,
        quantities={ProductFactory(name=product, stock=1).slug: 1},
        method="stripe",
    )
    capture = Capture(placed.payment.amount, "USD", "pi_1")
    payment_settle(payment_id=placed.payment.pk, capture=capture)
    send(event_id=placed.payment.events.get(kind="succeeded").pk)
    return mail.outbox[-1]


@pytest.mark.django_db
@pytest.mark.usefixtures("no_network")
class TestForm:
    def test_names_are_escaped_in_html_and_plain_in_text(self) -> None:
        sent = bought(product="<script>alert(1)</script> & Co", buyer='Joe "<b>" Doe')
        [(html, _)] = sent.alternatives
        assert "<script>alert(1)</script> & Co" in sent.body
        assert 'Hello Joe "<b>" Doe,' in sent.body
        assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; Co" in html
        assert "<script" not in html
        assert "<b>" not in html

    def test_line_breaks_in_names_make_no_header_and_no_line(self) -> None:
        broken = "A\r\nBcc: all@x.org\n\nPay here: evil.example\u202e"
        sent = bought(product=broken, buyer=broken)
        message: EmailMessage = sent.message()
        assert sent.recipients() == sent.to
        assert message["Bcc"] is None
        assert "\n" not in sent.subject
        assert not [line for line in sent.body.splitlines() if line.startswith(("Bcc", "Pay"))]
        assert "\u202e" not in sent.body + sent.alternatives[0][0]

    def test_control_as_it_is_a_name_writes_lines_of_its_own(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("payments.notices.rules.one_line", str)
        sent = bought(product="A\nPay here: evil.example", buyer="Joe")
        assert [line for line in sent.body.splitlines() if line.startswith("Pay here")]

    def test_it_names_no_outside_address_and_says_that_a_program_wrote_it(self) -> None:
        sent = bought(product="Lamp", buyer="Joe")
        html = sent.alternatives[0][0]
        assert not [mark for mark in ("http", "src=", "url(", "@import", "<link") if mark in html]
        assert sent.message()["Auto-Submitted"] == "auto-generated"

    def test_its_words_can_be_translated(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("payments.notices.letters._", lambda text: f"~{text}")
        sent = bought(product="Lamp", buyer="Joe")
        assert "~Order" in sent.subject
        assert "~Thank you" in sent.body


PERSON = demo.Customer(
    "ada@example.com", "Ada", "ada", "demo-password-9", ((3, {"a": 2}),), refunded={"a": 1}
)


@pytest.mark.django_db
class TestDemo:
    @pytest.fixture(autouse=True)
    def _goods(self, sandbox: Any) -> Product:
        return ProductFactory(slug="a", stock=10)

    def test_nobody_is_mailed_about_what_the_demo_bought(self, drain: Any) -> None:
        assert demo.customer_ensure(PERSON, buys=True)
        drain(later=True)
        assert Payment.objects.get().refunded
        assert mail.outbox == []

    def test_control_they_would_be(self, drain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(demo, "notices_skip", lambda **kwargs: None)
        demo.customer_ensure(PERSON, buys=True)
        drain(later=True)
        assert mail.outbox != []

    def test_what_they_buy_afterwards_is_told(self, drain: Any) -> None:
        demo.customer_ensure(PERSON, buys=True)
        demo._buy(Payment.objects.get().user_id, {"a": 1}, 0)
        drain(later=True)
        assert [sent.to for sent in mail.outbox] == [[PERSON.email]]
