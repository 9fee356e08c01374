"""Model fields that behave the same on MySQL and SQLite."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

DIGITS: Final = 65

# Django's fields take type parameters only in the stubs.
if TYPE_CHECKING:
    IntegerColumn = models.Field[int, int]
    BigIntegerColumn = models.BigIntegerField[int, int]
else:
    IntegerColumn = models.Field
    BigIntegerColumn = models.BigIntegerField


class MinorUnitsField(BigIntegerColumn):
    """Money in minor units (cents); always beside a currency column."""


class BaseUnitsField(IntegerColumn):
    """A non-negative integer of up to 65 digits: coin amounts in base units (wei), or minor units.

    DECIMAL(65,0) on MySQL. On SQLite zero-padded text of fixed width, because a DECIMAL column
    there becomes a binary float; padding keeps CHECK and ORDER BY right. Sums are made in Python:
    `F()` arithmetic on the text would go through a float as well.
    """

    description = "Integer amount in base units"

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return f"decimal({DIGITS},0)" if connection.vendor == "mysql" else f"varchar({DIGITS})"

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        if value is None or hasattr(value, "resolve_expression"):
            return value
        if not 0 <= int(value) < 10**DIGITS:
            raise ValueError(f"{value} is not between 0 and 10^{DIGITS}")
        return int(value)

    def get_db_prep_value(
        self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False
    ) -> Any:
        value = super().get_db_prep_value(value, connection, prepared)
        if connection.vendor == "mysql" or not isinstance(value, int):
            return value
        return str(value).zfill(DIGITS)

    def from_db_value(self, value: Any, *_: Any) -> int | None:
        return None if value is None else int(value)

    def to_python(self, value: Any) -> int | None:
        return None if value is None else int(value)


def sums(rows: models.QuerySet[Any], *keys: str, column: str = "amount") -> dict[Any, int]:
    """`{key, or (key, …): sum of a BaseUnitsField}`, exact on every database."""
    return added(addends(rows, *keys, column=column))


def addends(rows: models.QuerySet[Any], *keys: str, column: str = "amount") -> Any:
    """Rows `(*keys, amount)` that `added` makes the sums of: on MySQL one for each key."""
    if rows.db and connections[rows.db].vendor == "mysql":
        return rows.order_by().values_list(*keys).annotate(_sum=models.Sum(column))
    return rows.order_by().values_list(*keys, column)


def added(rows: Iterable[tuple[Any, ...]]) -> dict[Any, int]:
    """`{key, or (key, …): sum}` of rows that end in an amount."""
    found: dict[Any, int] = {}
    for *keys, amount in rows:
        name = keys[0] if len(keys) == 1 else tuple(keys)
        found[name] = found.get(name, 0) + int(amount)
    return found
