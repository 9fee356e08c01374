"""Exports and their pieces, and the rows of the next piece."""

import zlib
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Count, Max, Min, QuerySet
from django.db.models.functions import Now

from payments.exports.errors import (
    ExportExpired,
    ExportFailed,
    ExportNotReady,
    NoSuchExport,
)
from payments.exports.models import Export, ExportPiece
from payments.exports.rules import OPEN, Status
from payments.exports.selectors.kinds import SOURCES


class Bounds(NamedTuple):
    """The first and the last primary key of an export, and how many rows there are."""

    first: int
    last: int
    total: int


def exports(
    *, kind: str | None = None, status: str | None = None, kinds: Collection[str] | None = None
) -> QuerySet[Export]:
    """Newest first; `kinds` are those that somebody may see."""
    found = Export.objects.select_related("actor").order_by("-pk")
    found = found.filter(kind=kind) if kind else found
    found = found.filter(status=status) if status else found
    return found if kinds is None else found.filter(kind__in=kinds)


def export_by_uid(uid: UUID | str) -> Export:
    """Raises NoSuchExport."""
    found = exports().filter(uid=uid).first()
    if found is None:
        raise NoSuchExport
    return found


def export_get(pk: int) -> Export:
    return Export.objects.get(pk=pk)


def open_count(actor_id: int) -> int:
    return Export.objects.filter(actor_id=actor_id, status__in=OPEN).count()


def bounds(export: Export) -> Bounds:
    """What there is to export now; whatever comes later has a greater key, and is left out."""
    rows = SOURCES[export.kind].found(export.filters)
    found = rows.aggregate(first=Min("pk"), last=Max("pk"), total=Count("pk"))
    return Bounds(found["first"] or 0, found["last"] or 0, found["total"])


def after(export: Export, limit: int) -> list[dict[str, Any]]:
    """The next rows behind `position`, by primary key: no deeper page costs more than the first."""
    source = SOURCES[export.kind]
    rows = source.found(export.filters).filter(pk__gt=export.position, pk__lte=export.last)
    return list(rows.order_by("pk").values(*source.paths())[:limit])


def file_of(export: Export) -> Iterator[bytes]:
    """The bytes of a whole file, one piece in memory at a time.

    Raises ExportNotReady, ExportFailed or ExportExpired, before the first byte.
    """
    refusal = {Status.FAILED.value: ExportFailed, Status.EXPIRED.value: ExportExpired}
    if export.status != Status.DONE:
        raise refusal.get(export.status, ExportNotReady)
    return _pieces(export.pk, export.pieces)


def _pieces(export_id: int, count: int) -> Iterator[bytes]:
    for number in range(count):
        piece = ExportPiece.objects.values_list("content", flat=True)
        yield zlib.decompress(bytes(piece.get(export_id=export_id, number=number)))


def expired_ids(limit: int) -> list[int]:
    """Exports whose pieces nobody may fetch any more, or was about to delete when it was killed."""
    old = Export.objects.filter(expires_at__lte=Now(), pieces__gt=0)
    return list(old.order_by("expires_at").values_list("pk", flat=True)[:limit])
