"""Stripe's events as they are stored, told by nobody."""

import uuid
from typing import Any

from payments.stripe.models import WebhookEvent


def stored_event(kind: str = "customer.created", about: Any = None, **more: Any) -> WebhookEvent:
    """An event that no task has been asked to process."""
    event_id = f"evt_{uuid.uuid4().hex}"
    body = {"id": event_id, "type": kind, "data": {"object": about or {"id": "cus_1"}}}
    return WebhookEvent.objects.create(event_id=event_id, kind=kind, payload=body, **more)
