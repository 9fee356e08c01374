"""Worlds for the tasks that delete what is over; see `task_cases.py`."""

from datetime import timedelta
from typing import Any

from django.contrib.sessions.models import Session
from django.db.models.functions import Now

from accounts.sessions.models import RefreshFamily
from accounts.sessions.services import session_start
from common import clock
from common.idempotency.models import IdempotencyRecord
from common.outbox.models import OutboxMessage
from tests.factories.users import UserFactory
from tests.faults.cases import Case, Prepare


def forget_sessions(sandbox: Any) -> Case:
    user = UserFactory()
    session_start(user_id=user.pk)
    RefreshFamily.objects.filter(user=user).update(expires_at=Now() - timedelta(days=30))
    session_start(user_id=user.pk)
    return Case(lambda: RefreshFamily.objects.filter(user=user).count())


def forget_browsers(sandbox: Any) -> Case:
    keys = [f"{UserFactory().pk:032}", f"{UserFactory().pk:032}"]
    for key, left in zip(keys, (timedelta(hours=-1), timedelta(days=1)), strict=True):
        Session.objects.create(session_key=key, session_data="", expire_date=clock.now() + left)
    return Case(lambda: Session.objects.filter(session_key__in=keys).count())


def forget_keys(sandbox: Any) -> Case:
    user_id = UserFactory().pk
    for name, age in (("old", timedelta(days=2)), ("new", timedelta(0))):
        IdempotencyRecord.objects.create(
            user_id=user_id, route="POST /", key_hash=name, body_hash="", claim=""
        )
        IdempotencyRecord.objects.filter(user_id=user_id, key_hash=name).update(
            created_at=Now() - age
        )
    return Case(lambda: IdempotencyRecord.objects.filter(user_id=user_id).count())


def forget_messages(sandbox: Any) -> Case:
    tag = UserFactory().uid.hex
    for done in (timedelta(days=30), timedelta(0)):
        OutboxMessage.objects.create(task="none", request_id=tag, done_at=Now() - done)
    return Case(lambda: OutboxMessage.objects.filter(request_id=tag).count())


CLEANUP_CASES: dict[str, Prepare] = {
    "accounts.sessions.forget_expired": forget_sessions,
    "accounts.sessions.forget_browsers": forget_browsers,
    "common.idempotency.forget_expired": forget_keys,
    "common.outbox.forget_done": forget_messages,
}
