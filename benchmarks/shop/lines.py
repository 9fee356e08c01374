"""Order lines by the million, written by the database itself, for sums by day.

Two lines to an order, spread evenly over DAYS; of twenty orders one was cancelled, one expired, one
refunded in part and one as a whole. There are no payments, events or stock behind them. And whether
the totals by day and by month are their sums.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db import connection

from accounts.users.models import User
from benchmarks.shape import say
from shop.catalogue.models import Product

DAYS: Final = 3 * 365
BATCH: Final = 50_000
# A prime: every product meets every fate of an order, and every quantity.
PRODUCTS: Final = 307
USERS: Final = 1_000
FATE: Final = (
    "CASE MOD(order_id, 20) WHEN 0 THEN 'cancelled' WHEN 1 THEN 'expired'"
    " WHEN 2 THEN 'partially_refunded' WHEN 3 THEN 'refunded' ELSE 'paid' END"
)
AT: Final = "%(since)s + INTERVAL order_id * %(seconds)s DIV %(orders)s SECOND"
# Of a part of an order one unit came back.
LINES: Final = f"""
INSERT INTO shop_orderline (id, order_id, product_id, user_id, sku, name, unit_price, quantity,
 total, refunded, refunded_quantity, restocked_quantity, purchased_at)
WITH RECURSIVE every (n) AS (SELECT %(first)s UNION ALL SELECT n + 1 FROM every WHERE n < %(last)s),
one AS (SELECT n, (n + 1) DIV 2 AS order_id, MOD(n, 2) AS side FROM every),
two AS (SELECT *, MOD(order_id * 7 + side * 151, {PRODUCTS}) AS place,
 1 + MOD(order_id, 3) AS units, {FATE} AS fate FROM one),
three AS (SELECT *, 500 + 10 * place AS price, CASE fate WHEN 'refunded' THEN units
 WHEN 'partially_refunded' THEN side ELSE 0 END AS back FROM two)
SELECT n, order_id, %(product)s + place, %(user)s + MOD(order_id, {USERS}), 'sku', 'name', price,
 units, price * units, price * back, back, 0, IF(fate IN ('cancelled', 'expired'), NULL, {AT})
FROM three"""
ORDERS: Final = f"""
INSERT INTO shop_order (id, number, user_id, status, fulfilment, currency, total, refunded,
 placed_at, expires_at, deadline_suspended, paid_at)
SELECT order_id, CONCAT('B', LPAD(order_id, 12, '0')), MIN(user_id), {FATE}, 'unfulfilled', 'USD',
 SUM(total), SUM(refunded), {AT} - INTERVAL 5 MINUTE, {AT} + INTERVAL 10 MINUTE, 0,
 MIN(purchased_at)
FROM shop_orderline WHERE id BETWEEN %(first)s AND %(last)s GROUP BY order_id"""
# What is kept, and the same of the rows by statements that are nobody's but this file's.
SAME: Final = {
    "SELECT day, product_id, orders, units, amount, refunded_units, refunded FROM shop_salesday": (
        "SELECT DATE(purchased_at), product_id, COUNT(*), SUM(quantity), SUM(total),"
        " SUM(refunded_quantity), SUM(refunded) FROM shop_orderline"
        " WHERE purchased_at IS NOT NULL GROUP BY 1, 2"
    ),
    # Those of months that are over.
    "SELECT month, product_id, orders, units, amount, refunded_units, refunded"
    " FROM shop_salesmonth": (
        "SELECT DATE(purchased_at) - INTERVAL DAY(purchased_at) - 1 DAY, product_id, COUNT(*),"
        " SUM(quantity), SUM(total), SUM(refunded_quantity), SUM(refunded) FROM shop_orderline"
        " WHERE purchased_at < UTC_DATE() - INTERVAL DAY(UTC_DATE()) - 1 DAY GROUP BY 1, 2"
    ),
    "SELECT day, orders, units, amount, refunded, placed, paid, lapsed FROM shop_ordersday": (
        "SELECT day, SUM(n), SUM(u), SUM(a), SUM(r), SUM(p), SUM(b), SUM(x) FROM ("
        "SELECT DATE(paid_at) AS day, COUNT(*) AS n, 0 AS u, SUM(total) AS a, SUM(refunded) AS r,"
        " 0 AS p, 0 AS b, 0 AS x FROM shop_order WHERE paid_at IS NOT NULL GROUP BY 1 UNION ALL "
        "SELECT DATE(purchased_at), 0, SUM(quantity), 0, 0, 0, 0, 0 FROM shop_orderline"
        " WHERE purchased_at IS NOT NULL GROUP BY 1 UNION ALL "
        "SELECT DATE(placed_at), 0, 0, 0, 0, COUNT(*), COUNT(paid_at),"
        " SUM(status IN ('cancelled', 'expired')) FROM shop_order GROUP BY 1) AS each_of GROUP BY 1"
    ),
}
# Only while it is filled; what is measured are reads.
SERVER: Final = ("innodb_flush_log_at_trx_commit", "sync_binlog")
SESSION: Final = ("foreign_key_checks", "unique_checks", "sql_log_bin")


class Progress:
    """A line every ten seconds."""

    def __init__(self, whole: int, what: str) -> None:
        self.whole, self.what, self.told = whole, what, time.monotonic()

    def __call__(self, done: int) -> None:
        if time.monotonic() - self.told > 10:
            self.told = time.monotonic()
            say(f"{done:,} of {self.whole:,} {self.what}")


def fill(lines: int, told: Callable[[int], None]) -> None:
    """An even number of lines; `told` hears how many there are."""
    known = {**_people_and_products(), "orders": lines // 2, "seconds": DAYS * 86_400 - 3_600}
    known["since"] = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=DAYS)
    with connection.cursor() as cursor, _unchecked(cursor):
        for first in range(1, lines + 1, BATCH):
            last = min(first + BATCH - 1, lines)
            for statement in (LINES, ORDERS):
                cursor.execute(statement, known | {"first": first, "last": last})
            told(last)
        cursor.execute("ANALYZE TABLE shop_order, shop_orderline")


@contextmanager
def _unchecked(cursor: Any) -> Iterator[None]:
    cursor.execute(f"SET SESSION cte_max_recursion_depth={BATCH}")
    _set(cursor, 0)
    yield
    _set(cursor, 1)


def _set(cursor: Any, value: int) -> None:
    for flag in SERVER:
        cursor.execute(f"SET GLOBAL {flag}={value}")
    for flag in SESSION:
        cursor.execute(f"SET SESSION {flag}={value}")


def _people_and_products() -> dict[str, Any]:
    """The key of the first of each; the others follow one by one."""
    names = [f"b{n}" for n in range(USERS)]
    User.objects.bulk_create(User(email=f"{x}@example.org", username=x, name=x) for x in names)
    goods = [f"day-{n}" for n in range(PRODUCTS)]
    Product.objects.bulk_create(Product(slug=x, sku=x, name=x, list_price=500) for x in goods)
    return {
        "user": User.objects.get(username=names[0]).pk,
        "product": Product.objects.get(slug=goods[0]).pk,
    }


def rows_of(sql: str, params: Any = ()) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


def differences() -> Iterator[str]:
    """Where totals are not the sums of the rows; and whether one unit more is noticed."""
    for kept, truth in SAME.items():
        name, rows = kept.rpartition(" ")[2], whole(rows_of(truth))
        if wrong := whole(rows_of(kept)) ^ rows:
            yield f"{name}: {len(wrong)} rows differ, e.g. {min(wrong)}"
        rows_of(f"UPDATE {name} SET units = units + 1 ORDER BY id LIMIT 1")
        if len(whole(rows_of(kept)) ^ rows) < 2:
            yield f"{name}: a unit too many was not noticed"
        rows_of(f"UPDATE {name} SET units = units - 1 ORDER BY id LIMIT 1")
    if rows_of("SELECT SUM(total) FROM shop_orderline") <= rows_of(
        "SELECT SUM(amount) FROM shop_ordersday"
    ):
        yield "nothing lapsed, so that the sums prove little"


def whole(rows: list[tuple[Any, ...]]) -> set[tuple[Any, ...]]:
    return {(row[0], *map(int, row[1:])) for row in rows}
