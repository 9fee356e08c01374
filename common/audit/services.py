"""Write entries, and seal them into the chain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final

from django.db import IntegrityError, transaction

from common import context, rows
from common.audit import rules, selectors
from common.audit.models import AuditBatch, AuditEntry, AuditSeal
from common.db import transactional

BATCH: Final = 1000


def record(
    *, actor_id: int | None, action: str, target: str, data: Mapping[str, Any] | None = None
) -> None:
    """Write down an act, in the transaction that does it: both are there or neither.

    `action` is `thing.verb` ("product.update"), `target` names the object as clients know it.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError(f"{action} was audited outside a transaction")
    AuditEntry.objects.create(
        actor_id=actor_id,
        action=action,
        target=target,
        data=dict(data or {}),
        request_id=context.request_id.get(),
    )


@dataclass(frozen=True, slots=True)
class Act:
    """An act of the house's own, or of `actor_id`, in the request that caused it."""

    action: str
    target: str
    data: Mapping[str, Any]
    request_id: str
    actor_id: int | None = None


def record_many(acts: Sequence[Act]) -> None:
    """`record` of several acts in one statement for each thousand."""
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("acts were audited outside a transaction")
    made = [(act.actor_id, act.action, act.target, dict(act.data), act.request_id) for act in acts]
    columns = ("actor_id", "action", "target", "data", "request_id")
    for start in range(0, len(made), BATCH):
        rows.insert(AuditEntry, columns, made[start : start + BATCH])


def changes_of(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    """`{name: [old, new]}` of what differs; old is None for something new."""
    return {
        name: [before.get(name), value]
        for name, value in after.items()
        if before.get(name) != value
    }


def seal() -> AuditBatch | None:
    """Seal what is not sealed yet into the next batch; None where there is nothing to seal.

    Two at once want the same number, and its primary key lets one of them commit.
    """
    try:
        return _seal()
    except IntegrityError:
        return None


@transactional
def _seal() -> AuditBatch | None:
    entries = list(selectors.unsealed()[:BATCH])
    if not entries:
        return None
    last = AuditBatch.objects.order_by("-number").first()
    previous = last.digest if last else rules.GENESIS
    batch = AuditBatch.objects.create(
        number=last.number + 1 if last else 1,
        entries=len(entries),
        previous=previous,
        digest=rules.digest(previous, map(as_dict, entries)),
    )
    AuditSeal.objects.bulk_create(AuditSeal(entry=entry, batch=batch) for entry in entries)
    return batch


def as_dict(entry: AuditEntry) -> dict[str, Any]:
    """Everything of an entry that the chain vouches for, as it is read from the database."""
    return {
        "id": entry.pk,
        "actor_id": entry.actor_id,
        "action": entry.action,
        "target": entry.target,
        "data": entry.data,
        "request_id": entry.request_id,
        "created_at": entry.created_at.astimezone(UTC).isoformat(timespec="microseconds"),
    }


def breaches(*, anchors: Sequence[str] = ()) -> list[str]:
    """A line for each break of the chain; `anchors` are digests that were kept elsewhere.

    Without an anchor, the end of the chain could be cut off unseen.
    """
    found: list[str] = []
    previous, known = rules.GENESIS, set[str]()
    for number, batch in enumerate(AuditBatch.objects.order_by("number").iterator(), start=1):
        found += _check(batch, number, previous)
        previous = batch.digest
        known.add(batch.digest)
    return found + [f"digest {anchor} is not in the chain" for anchor in set(anchors) - known]


def _check(batch: AuditBatch, number: int, previous: str) -> list[str]:
    entries = [
        as_dict(seal.entry) for seal in batch.seals.select_related("entry").order_by("entry_id")
    ]
    wrong = []
    if batch.number != number:
        wrong.append(f"batch {number} is missing")
    if batch.previous != previous:
        wrong.append(f"batch {batch.number} does not follow the one before it")
    if batch.entries != len(entries):
        wrong.append(f"batch {batch.number} has {len(entries)} entries, sealed {batch.entries}")
    if rules.digest(batch.previous, entries) != batch.digest:
        wrong.append(f"batch {batch.number}: an entry was changed, added or removed")
    return wrong
