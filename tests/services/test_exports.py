"""Files that staff ask for: whole or not there, whoever is killed on the way."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.db.models.functions import Now

from common.outbox.models import OutboxMessage
from config import invariants
from payments.exports import rules, selectors, services
from payments.exports.errors import (
    ExportExpired,
    ExportFailed,
    ExportNotReady,
    NotForThisKind,
    PeriodMissing,
    PeriodReversed,
    PeriodTooLong,
    TooManyExports,
    UnknownStatus,
)
from payments.exports.models import Export, ExportPiece
from shop.imports import services as imports
from shop.imports.serializers import sheet_of
from shop.models import Product
from tests.factories.admin import paid, quiet_provider
from tests.factories.exchange import fund, listed
from tests.factories.orders import own_rollbacks
from tests.factories.shop import CategoryFactory, ProductFactory
from tests.factories.users import StaffFactory

__all__ = ["own_rollbacks", "quiet_provider"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "quiet_provider")]

DAY = timedelta(days=1)
YEAR = {
    "from": datetime(2026, 1, 1, tzinfo=UTC),
    "to": datetime(2030, 1, 1, tzinfo=UTC),
}


def start(kind: str = "products", **filters: Any) -> Export:
    return services.export_start(kind=kind, filters=filters, actor_id=StaffFactory().pk)


def made(kind: str = "products", **filters: Any) -> list[list[str]]:
    export = start(kind, **filters)
    services.export_make(export_id=export.pk)
    return cells(export)


def cells(export: Export) -> list[list[str]]:
    export.refresh_from_db()
    raw = b"".join(selectors.file_of(export))
    assert len(raw) == export.size
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline=""), strict=True))
    assert len(rows) - 1 == export.rows_done == export.rows_total
    return rows


def table(kind: str, **filters: Any) -> list[dict[str, str]]:
    head, *rows = made(kind, **filters)
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_orders_have_a_row_for_each_line_with_amounts_as_numbers() -> None:
    payment = paid(2)
    line = payment.order.lines.get()
    type(line).objects.filter(pk=line.pk).update(name="=cmd|' /C calc'!A0")
    [row] = [r for r in table("orders", **YEAR) if r["order"] == payment.order.number]
    assert (row["status"], row["quantity"], row["customer"]) == ("paid", "2", payment.user.email)
    assert (row["unit_price"], row["line_total"], row["order_total"]) == ("10.00", "20.00", "20.00")
    assert row["name"] == "'=cmd|' /C calc'!A0"
    assert row["placed_at"].endswith("Z")


def test_every_kind_can_be_made_and_has_its_rows() -> None:
    payment = paid()
    listed("ABAN")
    fund(payment.user, 5)
    kinds = selectors.SOURCES.items()
    found = {kind: made(kind, **(YEAR if source.grows else {})) for kind, source in kinds}
    assert set(found) == {kind.value for kind in rules.Kind}
    with_rows = {kind for kind, rows in found.items() if len(rows) > 1}
    assert {"orders", "payments", "products", "stock", "customers", "ledger"} <= with_rows


def test_a_period_and_a_status_narrow_it() -> None:
    payment = paid()
    number = payment.order.number
    placed = payment.order.placed_at

    def numbers(since: datetime, until: datetime, **more: str) -> set[str]:
        rows = table("orders", **{"from": since, "to": until, **more})
        return {row["order"] for row in rows}

    assert number in numbers(placed, placed + DAY)
    assert number not in numbers(placed - DAY, placed)
    assert number in numbers(placed, placed + DAY, status="paid")
    assert number not in numbers(placed, placed + DAY, status="expired")


@pytest.mark.parametrize(
    ("kind", "filters", "error"),
    [
        ("orders", {}, PeriodMissing),
        ("ledger", {"from": YEAR["from"]}, PeriodMissing),
        ("orders", {"from": YEAR["to"], "to": YEAR["from"]}, PeriodReversed),
        ("orders", {"from": YEAR["to"], "to": YEAR["to"]}, PeriodReversed),
        ("orders", {**YEAR, "from": datetime(1826, 1, 1, tzinfo=UTC)}, PeriodTooLong),
        ("products", YEAR, NotForThisKind),
        ("products", {"status": "paid"}, NotForThisKind),
        ("orders", {**YEAR, "status": "lost"}, UnknownStatus),
    ],
)
def test_filters_that_make_no_sense_are_refused(kind: str, filters: Any, error: Any) -> None:
    with pytest.raises(error):
        start(kind, **filters)
    assert not Export.objects.exists()


def test_an_export_of_products_goes_back_in_and_changes_nothing() -> None:
    names = ["=1+1", "'=1", "'quoted'", 'with "quotes", and\na line', "ü🛒"]
    for number, name in enumerate(names):
        ProductFactory(sku=f"X-{number}", name=name, description=name, category=CategoryFactory())
    export = start()
    services.export_make(export_id=export.pk)
    export.refresh_from_db()
    raw = b"".join(selectors.file_of(export))
    done = imports.products_import(
        sheet=sheet_of(raw, most=1000),
        file=imports.File("again.csv", raw),
        dry_run=False,
        actor_id=None,
    )
    assert (done.created, done.changed) == (0, 0)
    assert done.unchanged == Product.objects.count()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Pieces of two rows; the SKUs of seven products."""
    monkeypatch.setattr(rules, "PIECE_ROWS", 2)
    # A slow machine would leave the rest to another turn.
    monkeypatch.setattr(rules, "TURN_SECONDS", 600.0)
    return [ProductFactory(sku=f"P-{n}").sku for n in range(7)]


def skus(export: Export) -> list[str]:
    return [row[0] for row in cells(export)[1:] if row[0].startswith("P-")]


class Killed(BaseException):
    """What no `except Exception` catches."""


@pytest.mark.parametrize("where", ["_piece", "_keep", "_begin"])
def test_a_worker_that_is_killed_leaves_a_file_that_the_next_one_ends(
    where: str, small: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    export, work, calls = start(), getattr(services, where), []

    def then_killed(*args: Any) -> Any:
        calls.append(1)
        if len(calls) == 2 or where == "_begin":
            raise Killed
        return work(*args)

    with monkeypatch.context() as patch:
        patch.setattr(services, where, then_killed)
        with pytest.raises(Killed):
            services.export_make(export_id=export.pk)
    export.refresh_from_db()
    with pytest.raises(ExportNotReady):
        selectors.file_of(export)
    before = export.pieces
    services.export_make(export_id=export.pk)
    assert skus(export) == small
    assert where == "_begin" or before > 0


def test_a_worker_that_comes_late_writes_no_row_twice(
    small: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease of the first has lapsed while it read; the second makes the whole file."""
    export, piece, slept = start(), services._piece, []

    def slow(row: Export) -> Any:
        read = piece(row)
        if not slept:
            slept.append(1)
            services.export_make(export_id=export.pk)
        return read

    monkeypatch.setattr(services, "_piece", slow)
    services.export_make(export_id=export.pk)
    assert skus(export) == small


def test_control_without_the_look_at_the_last_piece_rows_are_there_twice(
    small: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    export, piece = start(), services._piece
    services._begin(export.pk, selectors.bounds(export))
    export.refresh_from_db()
    stale = piece(export)
    assert services._keep(export.pk, stale, False)
    # The second worker's piece, taken for one that comes behind.
    moved = type(stale)(1, stale.position, stale.rows, stale.content, stale.ends)
    assert services._keep(export.pk, moved, False)
    services.export_make(export_id=export.pk)
    export.refresh_from_db()
    assert export.rows_done == Product.objects.count() + 2


def test_a_piece_that_is_gone_is_a_breach(small: list[str]) -> None:
    export = start()
    services.export_make(export_id=export.pk)
    assert "10 export" not in " ".join(invariants.breaches())
    ExportPiece.objects.filter(export=export, number=1).delete()
    assert f"10 export {export.uid}" in " ".join(invariants.breaches())


def test_after_its_turn_another_message_goes_on(
    small: list[str], monkeypatch: pytest.MonkeyPatch, drain: Any
) -> None:
    monkeypatch.setattr(rules, "TURN_SECONDS", -1.0)
    export = start()
    OutboxMessage.objects.exclude(task=services.MAKE).delete()
    assert drain() >= 4
    assert skus(export) == small


def test_rows_that_come_later_are_left_out(small: list[str]) -> None:
    export = start()
    services._begin(export.pk, selectors.bounds(export))
    ProductFactory(sku="P-later")
    services.export_make(export_id=export.pk)
    assert skus(export) == small


def test_an_empty_export_is_a_file_with_the_names_of_its_columns() -> None:
    long_ago = {"from": datetime(2001, 1, 1, tzinfo=UTC), "to": datetime(2002, 1, 1, tzinfo=UTC)}
    assert len(made("orders", **long_ago)) == 1


def test_an_export_that_fails_again_and_again_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    export = start()

    def broken(row: Export) -> Any:
        raise KeyError("no such currency")

    monkeypatch.setattr(services, "_piece", broken)
    for _ in range(rules.MOST_FAILURES - 1):
        with pytest.raises(KeyError):
            services.export_make(export_id=export.pk)
    services.export_make(export_id=export.pk)
    export.refresh_from_db()
    assert (export.status, export.problem) == ("failed", "KeyError")
    with pytest.raises(ExportFailed):
        selectors.file_of(export)
    # And it stays so.
    services.export_make(export_id=export.pk)


def test_a_database_that_is_away_is_no_failure_of_the_export(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    export = start()

    def away(row: Export) -> Any:
        raise OperationalError(2013, "lost")

    monkeypatch.setattr(services, "_piece", away)
    with pytest.raises(OperationalError):
        services.export_make(export_id=export.pk)
    export.refresh_from_db()
    assert export.failures == 0


def test_a_file_is_kept_for_its_time_and_then_deleted(settings: Any) -> None:
    settings.EXPORT_KEEP_SECONDS = 3600
    kept, gone = start(), start()
    for export in (kept, gone):
        services.export_make(export_id=export.pk)
    Export.objects.filter(pk=gone.pk).update(expires_at=Now())
    assert services.exports_forget() == 1
    gone.refresh_from_db()
    with pytest.raises(ExportExpired):
        selectors.file_of(gone)
    assert not ExportPiece.objects.filter(export=gone).exists()
    assert cells(kept)


def test_a_delete_that_was_killed_is_ended_by_the_next_one() -> None:
    export = start()
    services.export_make(export_id=export.pk)
    Export.objects.filter(pk=export.pk).update(expires_at=Now())
    services._expire(export.pk)
    assert services.exports_forget() == 1
    assert not ExportPiece.objects.filter(export=export).exists()
    assert services.exports_forget() == 0


def test_five_at_a_time_are_enough_for_one_person() -> None:
    staff = StaffFactory()
    for _ in range(rules.MOST_OPEN):
        services.export_start(kind="products", filters={}, actor_id=staff.pk)
    with pytest.raises(TooManyExports):
        services.export_start(kind="products", filters={}, actor_id=staff.pk)
    start()
