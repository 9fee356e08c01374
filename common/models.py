"""The tables of `common`, for Django to find."""

from common.idempotency.models import IdempotencyRecord
from common.outbox.models import OutboxMessage

__all__ = ["IdempotencyRecord", "OutboxMessage"]
