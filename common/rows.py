"""Many rows in one statement, for those who write many at once.

`bulk_create` makes an object of each row and compiles each value: many times the work in Python.
Columns that are left out get the database's own default.
"""

import functools
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from django.db import connection, models

from common.fields import BaseUnitsField


def insert(
    model: type[models.Model], columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """INSERT all rows; `columns` are fields by name, foreign keys by their column (`order_id`)."""
    if not rows:
        return
    fields = [_field(model, name) for name in columns]
    one = f"({', '.join(['%s'] * len(fields))})"
    sql = (
        f"INSERT INTO {_quoted(model._meta.db_table)} "  # noqa: S608  # nosec B608  # names are our own
        f"({', '.join(_quoted(field.column) for field in fields)}) "
        f"VALUES {', '.join([one] * len(rows))}"
    )
    found = [(place, _adapter(field)) for place, field in enumerate(fields)]
    adapted = [(place, adapt) for place, adapt in found if adapt is not None]
    values: list[Any] = []
    for row in rows:
        start = len(values)
        values += row
        for place, adapt in adapted:
            values[start + place] = adapt(values[start + place])
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


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
    sets, parameters = [], []
    for name, by_key in values.items():
        field = _field(model, name)
        adapt = _adapter(field)
        cases = " ".join(["WHEN %s THEN %s"] * len(keys))
        sets.append(f"{_quoted(field.column)} = CASE {_pk(model)} {cases} END")
        for key in keys:
            parameters += [key, adapt(by_key[key]) if adapt else by_key[key]]
    condition, more = _condition(model, where)
    sql = (
        f"UPDATE {_quoted(model._meta.db_table)} SET {', '.join(sets)} "  # noqa: S608  # nosec B608  # names are our own
        f"WHERE {_pk(model)} IN ({', '.join(['%s'] * len(keys))}){condition}"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [*parameters, *keys, *more])
        return int(cursor.rowcount)


def keys_by(model: type[models.Model], column: str, values: Collection[Any]) -> dict[Any, int]:
    """Primary keys by the value of a unique column: MySQL tells of a multi-row INSERT only one."""
    found = model._default_manager.filter(**{f"{column}__in": values})
    return dict(found.order_by().values_list(column, "pk"))


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


def _adapter(field: Any) -> Callable[[Any], Any] | None:
    """What makes of a value of this field one that the driver takes; None where it does already.

    The fields' own way takes longer than all the rest of a row.
    """
    if isinstance(field, models.UUIDField):
        return lambda value: value.hex
    if isinstance(field, models.JSONField):
        return json.dumps
    if isinstance(field, models.DateTimeField):
        # Rows that are written together share their moments.
        return functools.cache(lambda value: field.get_db_prep_save(value, connection))
    if isinstance(field, BaseUnitsField) and connection.vendor != "mysql":
        return lambda value: field.get_db_prep_save(value, connection)
    return None
