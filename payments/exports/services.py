"""Ask for a file, make it piece by piece, and let it go.

A piece and how far the export is are written in one transaction, so that a worker may be killed at
any moment: the next one goes on behind the last piece that is there. Two at once read the same
rows, and the lock lets one of them write. Nobody can fetch a file before its last piece.
"""

import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import OperationalError

from common import clock, sheets
from common.audit.services import record
from common.db import transactional
from common.idempotency.services import bind
from common.outbox.services import enqueue
from payments.exports import locks, rules, selectors
from payments.exports.errors import (
    NotForThisKind,
    PeriodMissing,
    PeriodReversed,
    PeriodTooLong,
    TooManyExports,
    UnknownStatus,
)
from payments.exports.models import Export, ExportPiece
from payments.exports.rules import OPEN, Status

MAKE: Final = "payments.exports.make"
# Pieces that one statement deletes: a hundred megabytes at once would be one long transaction.
_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class _Piece:
    """Rows behind `position`, as they are in the file."""

    number: int
    position: int
    rows: int
    content: bytes
    ends: bool


@transactional
def export_start(*, kind: str, filters: Mapping[str, Any], actor_id: int) -> Export:
    """Have a file made. `filters` has `from` (included) and `to` (not), moments, and `status`.

    Raises PeriodMissing, PeriodReversed, PeriodTooLong, NotForThisKind, UnknownStatus or
    TooManyExports.
    """
    _check(selectors.SOURCES[kind], filters)
    if selectors.open_count(actor_id) >= rules.MOST_OPEN:
        raise TooManyExports
    kept = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in filters.items()
    }
    made = Export.objects.create(kind=kind, filters=kept, actor_id=actor_id)
    bind(str(made.uid), status=202)
    data = {"kind": kind, "filters": kept}
    record(actor_id=actor_id, action="export.create", target=f"export:{made.uid}", data=data)
    enqueue(MAKE, export_id=made.pk)
    return made


def _check(source: selectors.Source, filters: Mapping[str, Any]) -> None:
    since, until, status = (filters.get(name) for name in ("from", "to", "status"))
    if not source.moment and (since or until):
        raise NotForThisKind("filters.from" if since else "filters.to")
    if source.grows and not (since and until):
        raise PeriodMissing("filters.to" if since else "filters.from")
    if since and until and since >= until:
        raise PeriodReversed
    if since and until and rules.too_long(since, until):
        raise PeriodTooLong
    if status is not None and not source.statuses:
        raise NotForThisKind("filters.status")
    if status is not None and status not in source.statuses:
        raise UnknownStatus


def export_make(*, export_id: int) -> None:
    """Go on with an export for a while; what is left is another message's. Any number of times."""
    try:
        _go_on(export_id)
    except OperationalError:
        # A database that is away is no fault of the export's: the outbox tries again.
        raise
    except Exception as error:
        if _note_failure(export_id, type(error).__name__):
            raise


def _go_on(export_id: int) -> None:
    started = time.monotonic()
    while True:
        export = selectors.export_get(export_id)
        if export.status == Status.PENDING:
            _begin(export_id, selectors.bounds(export))
        elif export.status == Status.RUNNING:
            turn_ends = time.monotonic() - started > rules.TURN_SECONDS
            if not _keep(export_id, _piece(export), turn_ends):
                return
        else:
            return


@transactional
def _begin(export_id: int, found: selectors.Bounds) -> None:
    export = locks.export(export_id)
    if export.status != Status.PENDING:
        return
    export.status, export.started_at = Status.RUNNING, clock.now()
    export.position, export.last = max(0, found.first - 1), found.last
    export.rows_total = found.total
    export.save()


def _piece(export: Export) -> _Piece:
    rows = selectors.after(export, rules.PIECE_ROWS)
    columns = selectors.SOURCES[export.kind].columns
    cells = [[column.write(row) for column in columns] for row in rows]
    head = [] if export.pieces else [[column.name for column in columns]]
    text = sheets.lines([*head, *cells])
    content = (text if export.pieces else sheets.MARK + text).encode()
    last = rows[-1]["pk"] if rows else export.last
    return _Piece(export.pieces, last, len(rows), content, len(rows) < rules.PIECE_ROWS)


@transactional
def _keep(export_id: int, piece: _Piece, turn_ends: bool) -> bool:
    """Write a piece, unless somebody else has; whether there is more for this turn."""
    export = locks.export(export_id)
    if export.status != Status.RUNNING or export.pieces != piece.number:
        return False
    ExportPiece.objects.create(
        export=export,
        number=piece.number,
        rows=piece.rows,
        size=len(piece.content),
        content=zlib.compress(piece.content),
    )
    export.pieces += 1
    export.position, export.failures = piece.position, 0
    export.rows_done += piece.rows
    export.size += len(piece.content)
    if piece.ends:
        _end(export, Status.DONE)
    export.save()
    if turn_ends and not piece.ends:
        enqueue(MAKE, export_id=export_id)
    return not piece.ends and not turn_ends


def _end(export: Export, status: Status) -> None:
    if status == Status.DONE:
        # Rows may have left the filter since they were counted.
        export.rows_total = export.rows_done
    now = clock.now()
    export.status, export.finished_at = status, now
    export.expires_at = now + timedelta(seconds=settings.EXPORT_KEEP_SECONDS)


@transactional
def _note_failure(export_id: int, problem: str) -> bool:
    """Whether it is worth another try."""
    export = locks.export(export_id)
    if export.status not in OPEN:
        return False
    export.failures += 1
    export.problem = problem[:100]
    given_up = export.failures >= rules.MOST_FAILURES
    if given_up:
        _end(export, Status.FAILED)
    export.save()
    return not given_up


@transactional
def export_note_fetched(*, export: Export, actor_id: int) -> None:
    """Who takes a file away is written down before the first byte leaves."""
    data = {"kind": export.kind, "rows": export.rows_done}
    record(actor_id=actor_id, action="export.download", target=f"export:{export.uid}", data=data)


def exports_forget() -> int:
    """Delete the files that nobody may fetch any more; returns how many."""
    ids = selectors.expired_ids(limit=50)
    for export_id in ids:
        _forget(export_id)
    return len(ids)


def _forget(export_id: int) -> None:
    _expire(export_id)
    pieces = ExportPiece.objects.filter(export_id=export_id).order_by("number")
    while keys := list(pieces.values_list("pk", flat=True)[:_AT_ONCE]):
        ExportPiece.objects.filter(pk__in=keys).delete()
    Export.objects.filter(pk=export_id).update(pieces=0)


@transactional
def _expire(export_id: int) -> None:
    """First of all nobody may begin to fetch it."""
    export = locks.export(export_id)
    if export.status == Status.DONE:
        export.status = Status.EXPIRED
        export.save(update_fields=["status"])
