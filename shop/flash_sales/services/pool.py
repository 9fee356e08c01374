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


def units_add(run: FlashRun) -> None:
    """A row for each unit of a new run, numbered from 1 by the database itself."""
    statement = _NUMBERED.format(table=FlashUnit._meta.db_table)
    with connection.cursor() as cursor:
        for first in range(1, run.allocation + 1, CHUNK):
            wanted = run.allocation + 1 - first
            cursor.execute(statement, [run.pk, first, UnitState.FREE.value, wanted])


def units_from_stock(run: FlashRun) -> None:
    """Raises AllocationAboveStock."""
    wanted = run.allocation
    try:
        inventory.stock_to_run(product_id=run.sale.product_id, quantity=wanted, reason=str(run))
    except OutOfStock as short:
        [shortage] = short.shortages
        raise AllocationAboveStock(wanted=wanted, available=shortage.available) from short
