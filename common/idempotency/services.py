"""Claim a key, bind it to what was made, replay.

The claim is a row of its own, committed first, so that parallel calls see it. The object's own
transaction binds the row to the object: either both are there or neither, whatever crashes. A
claim whose process died lapses after 60 s; the one that takes it over changes `claim`, and the
first one's `bind` then fails instead of making a second object.
"""

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from contextlib import nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from common import rows
from common.cleanup import delete_in_batches
from common.db import one_statement, transactional
from common.idempotency.errors import BadKey, KeyInUse, KeyReused
from common.idempotency.models import IdempotencyRecord

CLAIM_LAPSES: Final = timedelta(seconds=60)
LIFETIME: Final = timedelta(hours=24)
MAX_ROUTE: Final = 200
_VISIBLE_ASCII: Final = re.compile(r"[\x21-\x7e]{1,255}")

State = IdempotencyRecord.State


@dataclass(slots=True, eq=False)
class Claim:
    """The right of this call to carry the request out; `bound` once it has bound its object."""

    record_id: int
    token: str
    bound: bool = False


@dataclass(frozen=True, slots=True)
class Replay:
    """What an earlier call with this key ended in: an object, or a problem document."""

    status: int
    object_ref: str
    problem: dict[str, Any] | None


_current: ContextVar[Claim | None] = ContextVar("idempotency_claim", default=None)


def begin(*, user_id: int, route: str, key: str, body: Any) -> Claim | Replay:
    """Claim `key`, or find what it stands for. Raises BadKey, KeyInUse or KeyReused."""
    if not _VISIBLE_ASCII.fullmatch(key):
        raise BadKey
    token, body_hash = uuid.uuid4().hex, fingerprint(body)
    # Longer ones exist only as nonsense; as they are they would not fit the column.
    route = route if len(route) <= MAX_ROUTE else fingerprint(route)
    identity = {"user_id": user_id, "route": route, "key_hash": fingerprint(key)}
    state = State.RUNNING.value
    try:
        record_id = _insert(
            **identity, body_hash=body_hash, claim=token, state=state, object_ref=""
        )
    except IntegrityError:
        return _meet(IdempotencyRecord.objects.filter(**identity), body_hash, token)
    return _hold(record_id, token)


# Calls that wait to insert a key that its first caller lets go deadlock in InnoDB.
@one_statement
def _insert(**fields: Any) -> int:
    # A taken key must not spoil a transaction around this one; alone, a statement needs none.
    around = transaction.get_connection().in_atomic_block
    with transaction.atomic() if around else nullcontext():
        return rows.insert(IdempotencyRecord, tuple(fields), [tuple(fields.values())])


def fingerprint(value: Any) -> str:
    """SHA-256 of a value's canonical JSON; keys may be personal, so only their hash is kept."""
    canonical = json.dumps(value, sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _meet(found: Any, body_hash: str, token: str) -> Claim | Replay:
    record = found.first()
    if record is None:  # its first call was refused and let it go a moment ago
        raise KeyInUse(retry_after=1)
    expired = found.filter(pk=record.pk, created_at__lt=Now() - LIFETIME)
    if expired.update(**_fresh(body_hash, token)):
        return _hold(record.pk, token)
    if record.body_hash != body_hash:
        raise KeyReused
    if record.state != State.RUNNING:
        return Replay(record.status, record.object_ref, record.problem)
    lapsed = found.filter(
        pk=record.pk, state=State.RUNNING, claim=record.claim, claimed_at__lt=Now() - CLAIM_LAPSES
    )
    if lapsed.update(claim=token, claimed_at=Now()):
        return _hold(record.pk, token)
    raise KeyInUse(retry_after=1)


def _fresh(body_hash: str, token: str) -> dict[str, Any]:
    return {
        "body_hash": body_hash,
        "claim": token,
        "state": State.RUNNING,
        "created_at": Now(),
        "claimed_at": Now(),
        "status": None,
        "object_ref": "",
        "problem": None,
    }


def _hold(record_id: int, token: str) -> Claim:
    claim = Claim(record_id, token)
    _current.set(claim)
    return claim


def bind(object_ref: str, *, status: int) -> None:
    """Tie the running call's key to what its transaction makes; without a key, nothing to do.

    First statement of the transaction (the record comes first in the lock order). Raises KeyInUse
    where the claim lapsed and another call has taken it over.
    """
    claim = _current.get()
    if claim is None:
        return
    if not _bind(claim, object_ref, status):
        raise KeyInUse(retry_after=1)


def _bind(claim: Claim, object_ref: str, status: int) -> bool:
    bound = _own(claim).update(state=State.DONE, status=status, object_ref=object_ref)
    claim.bound = bound == 1
    return claim.bound


def running() -> Claim | None:
    """The claim of the call that this thread carries out, for those who bind it elsewhere."""
    return _current.get()


def bind_many(refs: Mapping[Claim, str], *, status: int) -> set[Claim]:
    """`bind` for several calls in one statement; the claims that another call has taken over."""
    if len(refs) < 2:
        return {claim for claim, ref in refs.items() if not _bind(claim, ref, status)}
    mine = IdempotencyRecord.objects.select_for_update().filter(pk__in=[c.record_id for c in refs])
    tokens = dict(mine.order_by("pk").values_list("pk", "claim"))
    kept = {claim: ref for claim, ref in refs.items() if tokens.get(claim.record_id) == claim.token}
    if kept:
        found = IdempotencyRecord.objects.filter(pk__in=[claim.record_id for claim in kept])
        found.update(state=State.DONE, status=status)
        rows.change(
            IdempotencyRecord,
            {"object_ref": {claim.record_id: ref for claim, ref in kept.items()}},
        )
    for claim in kept:
        claim.bound = True
    return refs.keys() - kept.keys()


def unbind() -> None:
    """Undo `bind` where the call turns out to be refused in a way that is not stored."""
    claim = _current.get()
    if claim is not None:
        _own(claim).update(state=State.RUNNING, status=None, object_ref="")
        claim.bound = False


def end_done(claim: Claim) -> bool:
    """Whether the call bound its object, once it has answered 2xx."""
    _current.set(None)
    return claim.bound


def end_refused(claim: Claim, *, status: int, problem: dict[str, Any]) -> None:
    """Keep a business refusal (402, 409, 422) as the key's answer."""
    _current.set(None)
    _own(claim).update(state=State.REFUSED, status=status, problem=problem)


@transactional
def end_forgotten(claim: Claim) -> None:
    """Let the key go after an answer that is not stored, unless an object is bound to it."""
    _current.set(None)
    _own(claim).filter(state=State.RUNNING).delete()


def _own(claim: Claim) -> Any:
    return IdempotencyRecord.objects.filter(pk=claim.record_id, claim=claim.token)


def forget_expired() -> int:
    """Delete records past their 24 hours; returns how many."""
    return delete_in_batches(IdempotencyRecord.objects.filter(created_at__lt=Now() - LIFETIME))
