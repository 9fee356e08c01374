"""Carry a file of products out, or try it out: the same code, rolled back at the end."""

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from common import money
from common.audit.services import record
from common.db import transactional
from common.errors import Busy
from common.idempotency.services import bind
from shop.catalogue.services import Outcome, Saved, products_save
from shop.imports import rules, selectors
from shop.imports.errors import CarriedOutBefore, ImportRefused
from shop.imports.models import ProductImport
from shop.imports.rules import MOST_ERRORS, Row, Sheet, Wrong
from shop.inventory.services import Adjusted, Adjustment, stocks_adjust

# Rows that an import tells of; the counts are of all.
_TOLD: Final = 1000
_STOCK: Final = ("on_hand", "stock_delta")
_SHOWN: Final = {"list_price": "price"}


@dataclass(frozen=True, slots=True)
class File:
    """What was sent, beside what was read of it; `trial` is the one that is carried out by it."""

    name: str
    content: bytes
    trial: UUID | None = None

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


class _Tried(Exception):
    """Takes back what a trial has written."""

    def __init__(self, report: "Report") -> None:
        self.report = report


@dataclass(frozen=True, slots=True)
class Report:
    rows: int
    items: list[dict[str, Any]]

    def count(self, action: str) -> int:
        return sum(item["action"] == action for item in self.items)


def products_import(
    *, sheet: Sheet, file: File, dry_run: bool, actor_id: int | None, keep: bool = False
) -> ProductImport:
    """All rows of a file, or none: raises ImportRefused with what is wrong in each row.

    A trial is carried out once, whoever asks: raises CarriedOutBefore. With `dry_run`
    everything is done and taken back; `keep` then keeps the file for later.
    """
    for _ in range(2):
        try:
            return _import(sheet, file, dry_run, actor_id, keep)
        except IntegrityError:
            # A slug or SKU became somebody else's in this very moment; looked at again, its row
            # is refused by name.
            continue
    raise Busy(retry_after=1)


@transactional
def _import(
    sheet: Sheet, file: File, dry_run: bool, actor_id: int | None, keep: bool
) -> ProductImport:
    if file.trial is not None:
        _carry_out(file.trial, actor_id)
    report = _tried(sheet, actor_id) if dry_run else _applied(sheet, actor_id)
    created, changed = report.count("created"), report.count("changed")
    made = ProductImport.objects.create(
        name=file.name[:200],
        digest=file.digest,
        dry_run=dry_run,
        rows=report.rows,
        created=created,
        changed=changed,
        unchanged=report.rows - created - changed,
        report=report.items[:_TOLD],
        content=zlib.compress(file.content) if dry_run and keep else None,
        actor_id=actor_id,
    )
    bind(str(made.uid), status=200 if dry_run else 201)
    if not dry_run:
        data = {"digest": file.digest, "created": created, "changed": changed}
        record(actor_id=actor_id, action="product.import", target=f"import:{made.uid}", data=data)
    made.refresh_from_db(fields=["created_at"])
    return made


def _carry_out(trial: UUID, actor_id: int | None) -> None:
    """The row decides between two people: an idempotency key is only its user's own."""
    waiting = ProductImport.objects.filter(uid=trial, carried_out_at=None)
    if not waiting.update(carried_out_at=Now(), carried_out_by_id=actor_id):
        raise CarriedOutBefore


def _tried(sheet: Sheet, actor_id: int | None) -> Report:
    try:
        with transaction.atomic():
            raise _Tried(_applied(sheet, actor_id))
    except _Tried as tried:
        return tried.report


def _applied(sheet: Sheet, actor_id: int | None) -> Report:
    wanted = {row.number: row.values for row in sheet.rows}
    goods = {n: _without_stock(values) for n, values in wanted.items()}
    outcome = products_save(key=sheet.key, wanted=goods, actor_id=actor_id)
    adjusted = _stocked(sheet.rows, outcome, actor_id)
    _refuse(sheet, outcome, adjusted)
    items = (_item(row, outcome.saved[row.number], adjusted) for row in sheet.rows)
    return Report(len(sheet.rows), [item for item in items if item["action"] != "unchanged"])


def _without_stock(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in _STOCK}


def _stocked(rows: list[Row], outcome: Outcome, actor_id: int | None) -> Adjusted:
    """Of products that are there: those of a refused file may have no row yet."""
    wanted = {}
    for row in rows:
        saved = outcome.saved.get(row.number)
        if saved and saved.product.pk and row.values.keys() & set(_STOCK):
            to, delta = row.values.get("on_hand"), row.values.get("stock_delta")
            wanted[saved.product.pk] = Adjustment(saved.product.slug, delta, to)
    return stocks_adjust(wanted=wanted, reason="import", actor_id=actor_id)


def _refuse(sheet: Sheet, outcome: Outcome, adjusted: Adjusted) -> None:
    wrong = [*sheet.wrong]
    for number, refused in outcome.refused.items():
        wrong += [Wrong(number, e["field"], e["code"], e["detail"]) for e in refused.errors]
    for row in sheet.rows:
        saved = outcome.saved.get(row.number)
        short = adjusted.short.get(saved.product.pk) if saved else None
        if short:
            column = next(name for name in _STOCK if name in row.values)
            detail = f"{short.extra['held']} units are held for open orders."
            wrong.append(Wrong(row.number, column, short.code, detail))
    if wrong:
        wrong.sort(key=lambda one: one.row)
        raise ImportRefused([w.as_error() for w in wrong[:MOST_ERRORS]], total=len(wrong))


def _item(row: Row, saved: Saved, adjusted: Adjusted) -> dict[str, Any]:
    changes = [
        {"column": _SHOWN.get(name, name), "old": _text(name, old), "new": _text(name, new)}
        for name, (old, new) in saved.changes.items()
        # A new product tells what it has, not what it lacks.
        if not saved.created or new not in (None, "", 0, False)
    ]
    moved = adjusted.changed.get(saved.product.pk or 0)
    if moved:
        changes.append({"column": "on_hand", "old": str(moved[0]), "new": str(moved[1])})
    action = "created" if saved.created else "changed" if changes else "unchanged"
    product = saved.product
    return {
        "row": row.number,
        "action": action,
        "product": product.slug,
        "sku": product.sku,
        "changes": changes,
    }


def _text(name: str, value: Any) -> str | None:
    if value is None:
        return None
    if name == "list_price":
        return money.to_text(value, "USD")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat()
    # The start of a description says which it is; an answer has room for a thousand of them.
    return str(value)[: rules.MOST_SHOWN]


def files_forget() -> int:
    """Let go of files that were tried out long ago; what they would have done stays."""
    ids = selectors.forgotten_ids(limit=500)
    return ProductImport.objects.filter(pk__in=ids).update(content=None)
