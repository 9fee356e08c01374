"""Many rows in one statement, for those who write many at once.

`bulk_create` makes an object of each row and compiles each value: many times the work in Python.
Columns that are left out get the database's own default.
"""

import functools
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, models

from common.fields import BaseUnitsField

Adapt = Callable[[Any], Any]


def insert(model: type[models.Model], columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> int:
    """INSERT all rows; `columns` are fields by name, foreign keys by their column (`order_id`).

    Returns the primary key of a single row.
    """
    if not rows:
        return 0
    shape = _shape(model, tuple(columns), connection.vendor)
    values: list[Any] = []
    for row in rows:
        start = len(values)
        values += row
        for place, adapt in shape.adapted:
            values[start + place] = adapt(values[start + place])
    with connection.cursor() as cursor:
        cursor.execute(shape.insert + ", ".join([shape.row] * len(rows)), values)
        return int(cursor.lastrowid)


def insert_keyed(
    model: type[models.Model], columns: Sequence[str], rows: Sequence[Sequence[Any]], *, by: str
) -> dict[Any, int]:
    """INSERT all rows; their primary keys by the value of the unique column `by`."""
    key, place = insert(model, columns, rows), columns.index(by)
    if len(rows) == 1:
        return {rows[0][place]: key}
    # MySQL tells of a multi-row INSERT only one key.
    return keys_by(model, by, [row[place] for row in rows])


def change(
    model: type[models.Model],
    values: Mapping[str, Mapping[int, Any]],
    *,
    where: tuple[str, Any] | None = None,
) -> int:
    """UPDATE rows, each to values of its own: `{column: {primary key: value}}`; how many it found.

    `where` (a column and its value) must hold for a row to be changed.
    """
    keys = sorted(next(iter(values.values())))
    shape = _shape(model, tuple(values), connection.vendor)
    adapted, sets, parameters = dict(shape.adapted), [], []
    cases = " ".join(["WHEN %s THEN %s"] * len(keys))
    for place, (name, by_key) in enumerate(zip(shape.names, values.values(), strict=True)):
        adapt = adapted.get(place)
        sets.append(f"{name} = CASE {shape.key} {cases} END")
        for key in keys:
            parameters += [key, adapt(by_key[key]) if adapt else by_key[key]]
    condition, more = _condition(model, where)
    sql = (
        f"UPDATE {shape.table} SET {', '.join(sets)} "  # noqa: S608  # nosec B608  # names are our own
        f"WHERE {shape.key} IN ({', '.join(['%s'] * len(keys))}){condition}"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [*parameters, *keys, *more])
        return int(cursor.rowcount)


def keys_by(
    model: type[models.Model],
    column: str,
    values: Collection[Any],
    *,
    where: tuple[str, Any] | None = None,
) -> dict[Any, int]:
    """Primary keys by the value of a column that is unique, or is among rows with `where`."""
    shape = _shape(model, (column,), connection.vendor)
    adapt = dict(shape.adapted).get(0)
    asked = {adapt(value) if adapt else value: value for value in values}
    condition, more = _condition(model, where)
    sql = (
        f"SELECT {shape.names[0]}, {shape.key} FROM {shape.table} "  # noqa: S608  # nosec B608  # names are our own
        f"WHERE {shape.names[0]} IN ({', '.join(['%s'] * len(asked))}){condition}"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [*asked, *more])
        return {asked[value]: key for value, key in cursor.fetchall()}


@dataclass(frozen=True, slots=True)
class _Shape:
    """Some columns of a table, and what their values need; all names are quoted."""

    table: str
    key: str
    names: tuple[str, ...]
    adapted: tuple[tuple[int, Adapt], ...]

    @property
    def insert(self) -> str:
        return f"INSERT INTO {self.table} ({', '.join(self.names)}) VALUES "  # noqa: S608  # nosec B608  # names are our own

    @property
    def row(self) -> str:
        return f"({', '.join(['%s'] * len(self.names))})"


# Looked up for each statement it would take as long as to write a row.
@functools.cache
def _shape(model: type[models.Model], columns: tuple[str, ...], _vendor: str) -> _Shape:
    fields = [_field(model, name) for name in columns]
    found = [(place, _adapter(field)) for place, field in enumerate(fields)]
    return _Shape(
        _quoted(model._meta.db_table),
        _pk(model),
        tuple(_quoted(field.column) for field in fields),
        tuple((place, adapt) for place, adapt in found if adapt is not None),
    )


def _condition(model: type[models.Model], where: tuple[str, Any] | None) -> tuple[str, list[Any]]:
    if where is None:
        return "", []
    name, value = where
    return f" AND {_quoted(_field(model, name).column)} = %s", [value]


def _field(model: type[models.Model], name: str) -> Any:
    return model._meta.get_field(name)


def _pk(model: type[models.Model]) -> str:
    return _quoted(model._meta.pk.column)


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)


def _adapter(field: Any) -> Adapt | None:
    """What makes of a value of this field one that the driver takes; None where it does already.

    The fields' own way takes longer than all the rest of a row.
    """
    if isinstance(field, models.UUIDField):
        return lambda value: value.hex
    if isinstance(field, models.JSONField):
        return json.dumps
    if isinstance(field, models.DateField):
        # Rows that are written together share their moments, and days.
        return functools.lru_cache(64)(lambda value: field.get_db_prep_save(value, connection))
    if isinstance(field, BaseUnitsField) and connection.vendor != "mysql":
        return lambda value: field.get_db_prep_save(value, connection)
    return None
