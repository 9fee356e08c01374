"""Stripe's events while MySQL is away or busy: 503, so that Stripe sends them again."""

import hashlib
import hmac
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client

from common import db
from common.api import problems
from common.outbox.models import OutboxMessage
from payments.stripe.models import WebhookEvent
from payments.stripe.services import webhooks
from tests.faults.processes import free_port

pytestmark = pytest.mark.django_db(transaction=True)

EVENT = b'{"id": "evt_away", "object": "event", "type": "customer.created", "data": {"object": {}}}'


def send(event: bytes = EVENT) -> Any:
    at = int(time.time())
    digest = hmac.new(b"whsec_tests", b"%d." % at + event, hashlib.sha256).hexdigest()
    return Client(raise_request_exception=False).post(
        "/webhooks/stripe/",
        event,
        content_type="application/json",
        headers={"Stripe-Signature": f"t={at},v1={digest}"},
    )


@contextmanager
def mysql_away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every new connection goes to a port at which nobody listens."""
    connection.close()
    with monkeypatch.context() as patch:
        patch.setitem(connection.settings_dict, "PORT", str(free_port()))
        yield
        connection.close()


def is_a_clean_503(answer: Any) -> bool:
    document = answer.json()
    assert (answer.status_code, document["status"], document["code"]) == (503, 503, "busy")
    assert answer.headers["Content-Type"] == "application/problem+json"
    return int(answer.headers["Retry-After"]) >= 1


@pytest.mark.proof(
    "Events while MySQL is away",
    size="1 event",
    control="test_control_without_the_translation_it_is_500",
)
def test_an_event_without_mysql_is_503_and_stored_when_it_comes_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with mysql_away(monkeypatch):
        assert is_a_clean_503(send())
    assert send().status_code == 200
    assert (WebhookEvent.objects.count(), OutboxMessage.objects.count()) == (1, 1)


def test_an_event_that_meets_nothing_but_deadlocks_is_503(monkeypatch: pytest.MonkeyPatch) -> None:
    def deadlock(*args: Any, **kwargs: Any) -> None:
        raise OperationalError(1213, "Deadlock found when trying to get lock")

    monkeypatch.setattr(db, "_pause", lambda attempt: None)
    with monkeypatch.context() as patch:
        patch.setattr(webhooks, "enqueue", deadlock)
        assert is_a_clean_503(send())
    assert not WebhookEvent.objects.exists()


def test_control_without_the_translation_it_is_500(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(problems, "translate", lambda error: None)
    with mysql_away(monkeypatch):
        assert send().status_code == 500
