"""A run's units: rows of their own, out of the product's stock."""

from typing import Final

from django.db import connection

from shop.flash_sales.errors import AllocationAboveStock
from shop.flash_sales.models import FlashRun, FlashUnit
from shop.flash_sales.rules import UnitState
from shop.inventory import services as inventory
from shop.inventory.errors import OutOfStock

# MySQL's recursion ends at 1000 (cte_max_recursion_depth), so that units are counted in two digits.
_NUMBERED: Final = """
INSERT INTO {table} (run_id, number, state)
WITH RECURSIVE digit (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM digit WHERE n < 99)
SELECT %s, %s + high.n * 100 + low.n, %s FROM digit AS high CROSS JOIN digit AS low
WHERE high.n * 100 + low.n < %s
"""
# One statement for all would take longer on a busy server than MYSQL_READ_TIMEOUT.
CHUNK: Final = 10_000


def units_add(run: FlashRun, *, first: int) -> None:
    """A row for each unit of the run from `first` on, numbered by the database itself."""
    statement = _NUMBERED.format(table=FlashUnit._meta.db_table)
    with connection.cursor() as cursor:
        for number in range(first, run.allocation + 1, CHUNK):
            wanted = run.allocation + 1 - number
            cursor.execute(statement, [run.pk, number, UnitState.FREE.value, wanted])


def units_drop(run: FlashRun, last: int) -> int:
    """Delete the free units above the run's allocation, up to number `last`; how many."""
    free = FlashUnit.objects.filter(run=run, state=UnitState.FREE)
    return sum(
        free.filter(number__gt=number, number__lte=min(number + CHUNK, last)).delete()[0]
        for number in range(run.allocation, last, CHUNK)
    )


def units_from_stock(run: FlashRun, wanted: int) -> None:
    """Raises AllocationAboveStock."""
    try:
        inventory.stock_to_run(product_id=run.sale.product_id, quantity=wanted, reason=str(run))
    except OutOfStock as short:
        [shortage] = short.shortages
        raise AllocationAboveStock(wanted=wanted, available=shortage.available) from short


def units_to_stock(run: FlashRun, quantity: int) -> None:
    inventory.stock_from_run(product_id=run.sale.product_id, quantity=quantity, reason=str(run))
