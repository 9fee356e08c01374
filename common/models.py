"""The tables of `common`, for Django to find."""

from common.audit.models import AuditBatch, AuditEntry, AuditSeal
from common.idempotency.models import IdempotencyRecord
from common.outbox.models import OutboxMessage

__all__ = ["AuditBatch", "AuditEntry", "AuditSeal", "IdempotencyRecord", "OutboxMessage"]
