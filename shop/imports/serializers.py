"""A file of products on its way in, held against the API's own fields, and what it did."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Final

from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from common.api.serializers import StrictIntegerField, StrictSerializer
from shop.catalogue.serializers import ProductBody
from shop.imports import rules
from shop.imports.rules import Row, Sheet, Unreadable, Wrong
from shop.inventory.serializers import MAX_UNITS

# What an empty cell means: back to what a product has without it, as where PUT leaves it out.
_CLEARED: Final[dict[str, Any]] = {
    "category": None,
    "discount_percent": 0,
    "discount_starts_at": None,
    "discount_ends_at": None,
    "discount_members_only": False,
}
# In these an empty cell leaves all as it is.
_LEFT: Final = {"slug", "on_hand", "stock_delta"}
# Everything else is words.
_READ: Final[dict[str, Callable[[str], Any]]] = {
    "price": str,
    "discount_percent": rules.number,
    "discount_starts_at": str,
    "discount_ends_at": str,
    "discount_members_only": rules.flag,
    "on_hand": rules.number,
    "stock_delta": rules.number,
}


class RowBody(ProductBody):
    """A product as its row says it is, and its stock: counted, or more and less of it."""

    on_hand = StrictIntegerField(min_value=0, max_value=MAX_UNITS, required=False)
    stock_delta = StrictIntegerField(min_value=-MAX_UNITS, max_value=MAX_UNITS, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if {"on_hand", "stock_delta"} <= attrs.keys():
            detail = "Give either on_hand or stock_delta."
            raise ValidationError({"stock_delta": detail}, code="delta_or_set")
        return attrs


COLUMNS: Final = tuple(RowBody().fields)


def read(raw: bytes, *, most: int) -> Sheet:
    """The rows of a file with all their mistakes. Raises Unreadable where there are no rows."""
    names, records = rules.table(rules.decoded(raw), most=most)
    sheet = Sheet(rules.key_of(names, COLUMNS))
    fields = RowBody(partial=True)
    for number, cells in records:
        row = _row(fields, number, names, cells, sheet)
        if row is not None:
            sheet.rows.append(row)
    twice = [one for column in rules.KEYS for one in rules.repeated(sheet.rows, column)]
    numbers = {one.row for one in twice}
    sheet.rows = [row for row in sheet.rows if row.number not in numbers]
    sheet.wrong += twice
    return sheet


def _row(
    fields: RowBody, number: int, names: list[str], cells: list[str], sheet: Sheet
) -> Row | None:
    if len(cells) != len(names):
        detail = f"Cells in this row: {len(cells)}; in the first: {len(names)}."
        sheet.wrong.append(Wrong(number, "row", "wrong_width", detail))
        return None
    given = _given(dict(zip(names, cells, strict=True)), sheet.key)
    try:
        return Row(number, dict(fields.run_validation(given)))
    except ValidationError as error:
        sheet.wrong += _wrong(number, error)
        return None


def _given(cells: Mapping[str, str], key: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, raw in cells.items():
        cell = raw.strip()
        if cell:
            found[name] = _READ.get(name, rules.words)(cell)
        elif name in _CLEARED:
            found[name] = _CLEARED[name]
        elif name not in _LEFT or name == key:
            found[name] = ""
    return found


def _wrong(number: int, error: ValidationError) -> Iterator[Wrong]:
    details: Any = error.get_full_details()
    for column, found in details.items():
        for one in found:
            yield Wrong(number, column, str(one["code"]), str(one["message"]))


def unreadable(error: Unreadable) -> Sheet:
    """A file that is wrong as a whole, as a sheet whose only content is that."""
    return Sheet(rules.KEYS[0], wrong=[error.wrong])


def sheet_of(raw: bytes, *, most: int) -> Sheet:
    """`read`, with whatever is wrong in `Sheet.wrong`."""
    try:
        return read(raw, most=most)
    except Unreadable as error:
        return unreadable(error)


class ImportBody(StrictSerializer):
    """A CSV file of products; `dry_run` tells what it would do, and does nothing."""

    example: ClassVar = {"file": "(the file's bytes)", "dry_run": True}

    file = serializers.FileField(allow_empty_file=True)
    dry_run = serializers.BooleanField(required=False, default=False)


class ChangeOut(serializers.Serializer[Any]):
    column = serializers.CharField()
    old = serializers.CharField(allow_null=True)
    new = serializers.CharField(allow_null=True)


class RowOut(serializers.Serializer[Any]):
    """What became of one row; `row` counts as a spreadsheet does, the names of columns being 1."""

    row = serializers.IntegerField()
    action = serializers.ChoiceField(["created", "changed"])
    product = serializers.CharField(help_text="The product's slug.")
    sku = serializers.CharField()
    changes = ChangeOut(many=True)


class ProductImportOut(serializers.Serializer[Any]):
    """What an import did, or would do; `items` has the first thousand rows that change anything."""

    id = serializers.UUIDField(source="uid")
    dry_run = serializers.BooleanField()
    rows = serializers.IntegerField()
    created = serializers.IntegerField()
    changed = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    items = RowOut(many=True, source="report")
    created_at = serializers.DateTimeField()
