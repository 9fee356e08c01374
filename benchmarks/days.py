"""Does a report by day cost more of ten million order lines than of ten thousand, and is it right?

    make bench NAME=days [LINES=10000000]

Starts a throw-away MySQL, fills two databases (10,000 and LINES order lines of three years, some
refunded or never bought) and has the shop count each by `sales_recount`, the first half of
`manage.py rebuild_statistics`. The selectors of the dashboards are then asked in turn, past their
cache; milliseconds are those of their statements, until the answer is here.

Every row of the totals by day and by month, and the reports of all by day and by product, must
equal the sums of the rows: exit code 1 where one does not. A target that is missed is told, and no
error.
"""

import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import servers

from benchmarks import report
from benchmarks.shape import say

FEW: Final = 10_000
MANY: Final = int(os.environ.get("LINES") or 10_000_000) // 2 * 2
TRIES: Final = int(os.environ.get("TRIES") or 100)
CALLS: Final = 10
NAIVE_TRIES: Final = 3
MOST_MS: Final = 5.0
# Lines and orders fit into it: what is compared is work, not reading from disk.
OPTIONS: Final = ("--innodb-buffer-pool-size=3G", "--innodb-redo-log-capacity=2G")
FROM_LINES: Final = "by day, all, from the lines"
NAIVE_PRODUCTS: Final = (
    "SELECT product_id, COUNT(*), SUM(quantity), SUM(total), SUM(refunded_quantity), SUM(refunded)"
    " FROM shop_orderline WHERE purchased_at >= %s AND purchased_at < %s GROUP BY product_id"
)
NAIVE: Final = (
    "SELECT DATE(purchased_at) AS day, SUM(quantity), SUM(total), SUM(refunded)"
    " FROM shop_orderline WHERE purchased_at >= %s AND purchased_at < %s GROUP BY day ORDER BY day"
)
Times = dict[str, dict[int, list[float]]]


def set_up(url: str) -> None:
    """Two databases with the shop's tables."""
    # A sum of ten million lines takes longer than any statement of the shop's own.
    os.environ |= {"MYSQL_READ_TIMEOUT": "0", "TEST_DATABASE_URL": url}
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"
    os.environ.pop("TEST_REDIS_URL", None)
    import django

    django.setup()
    from django.core.management import call_command

    from benchmarks.shop.lines import rows_of

    for lines in (FEW, MANY):
        rows_of(f"CREATE DATABASE days_{lines} CHARACTER SET utf8mb4")
        use(lines)
        call_command("migrate", verbosity=0)


def use(lines: int) -> None:
    from django.db import connection

    connection.close()
    connection.settings_dict["NAME"] = f"days_{lines}"
    connection.ensure_connection()


def seconds(work: Callable[[], None]) -> float:
    started = time.monotonic()
    work()
    return round(time.monotonic() - started, 1)


def count() -> None:
    """By the shop's own service; a day is counted when its row is written."""
    from django.db import connection

    from benchmarks.shop.lines import DAYS, Progress, rows_of
    from shop.statistics.services import sales_recount

    told, done = Progress(DAYS + 1, "days counted"), 0

    def see(execute: Any, sql: str, *rest: Any) -> Any:
        nonlocal done
        done += sql.startswith("INSERT INTO `shop_ordersday`")
        told(done)
        return execute(sql, *rest)

    with connection.execute_wrapper(see):
        sales_recount()
    kept = ("salesmonth", "salesday", "saleshour", "ordersday", "ordershour")
    rows_of(f"ANALYZE TABLE {', '.join(f'shop_{table}' for table in kept)}")


def made(lines: int) -> dict[str, float]:
    """Seconds that its parts took."""
    from benchmarks.shop.lines import Progress, fill, rows_of

    use(lines)
    took = {"fill": seconds(lambda: fill(lines, Progress(lines, "lines")))}
    took["sales_recount"] = seconds(count)
    took["hours kept"] = rows_of("SELECT COUNT(*) FROM shop_saleshour")[0][0]
    say(f"{lines:,} lines: {took}")
    return took


def reports(today: date) -> dict[str, Callable[[], Any]]:
    """What the dashboards ask of the totals by day and by month."""
    from dashboards.public.rules import DAYS, weeks_until
    from dashboards.staff.rules import LONGEST, USUAL
    from shop.statistics import selectors as sales

    month, weeks = today - timedelta(days=DAYS - 1), weeks_until(today)[0]
    top = [product for product, _ in sales.best_sellers(since=month, limit=4)]
    found: dict[str, Callable[[], Any]] = {
        "public, by day, a month": partial(sales.units_by_day, since=month),
        "public, best sellers, a month": partial(sales.best_sellers, since=month, limit=4),
        "public, theirs by day, twelve weeks": partial(sales.units_by_product, top, since=weeks),
    }
    for name, length in (("a month", USUAL), ("a year", timedelta(days=364)), ("all", LONGEST)):
        since = today - length
        found |= {
            f"staff, by day, {name}": partial(sales.by_day, since=since, until=today),
            f"staff, what was placed, {name}": partial(sales.cohort, since=since, until=today),
            f"staff, by product, {name}": partial(sales.by_product, since=since, until=today),
        }
    return found


def timed(ask: Callable[[], Any]) -> tuple[float, Any]:
    """Milliseconds of its statements, and what it found."""
    from django.db import connection

    spent = 0.0

    def see(execute: Any, *rest: Any) -> Any:
        nonlocal spent
        started = time.perf_counter()
        try:
            return execute(*rest)
        finally:
            spent += (time.perf_counter() - started) * 1000

    with connection.execute_wrapper(see):
        found = ask()
    return spent, found


def measured(today: date) -> Times:
    """Milliseconds of each report in each database; each goes first in turn."""
    found: Times = {}
    for number in range(max(1, TRIES // CALLS)):
        for lines in (FEW, MANY)[:: 1 if number % 2 else -1]:
            use(lines)
            for name, ask in reports(today).items():
                timed(ask)
                times = found.setdefault(name, {}).setdefault(lines, [])
                times += [timed(ask)[0] for _ in range(CALLS)]
    return found


def compared(today: date, found: Times) -> Iterator[str]:
    """Where totals or the report are not the sums of the lines; adds to `found` what those took."""
    from benchmarks.shop.lines import differences, rows_of, whole
    from dashboards.staff.rules import LONGEST

    ask = reports(today)["staff, by day, all"]
    for lines in (FEW, MANY):
        use(lines)
        yield from (f"{lines:,} lines: {each}" for each in differences())
        days = [(one.day, one.units, one.amount, one.refunded) for one in ask()]
        for _ in range(NAIVE_TRIES):
            span = (today - LONGEST, today + timedelta(days=1))
            spent, rows = timed(partial(rows_of, NAIVE, span))
            found.setdefault(FROM_LINES, {}).setdefault(lines, []).append(spent)
        if set(days) != whole(rows):
            yield f"{lines:,} lines: the report by day is not what the lines say"
        if _by_product(today) != whole(rows_of(NAIVE_PRODUCTS, span)):
            yield f"{lines:,} lines: the report by product is not what the lines say"


def _by_product(today: date) -> set[tuple[int, ...]]:
    return {
        (
            one.product_id,
            one.orders,
            one.units + one.refunded_units,
            one.amount + one.refunded,
            one.refunded_units,
            one.refunded,
        )
        for one in reports(today)["staff, by product, all"]()
    }


def page(found: Times, parts: dict[int, Any], facts: Any, wrong: list[str]) -> list[str]:
    return [
        *report.heading("days", __doc__, facts),
        *(f"{lines:,} lines: {_told(each)}." for lines, each in parts.items()),
        "",
        f"| ms in MySQL, median (5-95 %) | {FEW:,} lines | {MANY:,} | {MOST_MS:g} at most |",
        "| --- | --- | --- | --- |",
        *(_row(name, each) for name, each in found.items()),
        "",
        f"Totals and reports equal the sums of the rows: {'**no**' if wrong else 'yes'}.",
        "",
        *(f"NOT EXACT: {each}" for each in wrong),
    ]


def _told(parts: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:,}" for name, value in parts.items())


def _row(name: str, each: dict[int, list[float]]) -> str:
    cells = (
        f"{statistics.median(each[lines]):,.2f} ({_spread(each[lines])})" for lines in (FEW, MANY)
    )
    met = "yes" if statistics.median(each[MANY]) <= MOST_MS else "**no**"
    met = "" if name == FROM_LINES else met
    return f"| {name} | {' | '.join(cells)} | {met} |"


def _spread(times: list[float]) -> str:
    ordered = sorted(times)
    return f"{report.quantile(ordered, 0.05):,g}-{report.quantile(ordered, 0.95):,g}"


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="souk-bench-"))
    with ExitStack() as ends:
        ends.callback(shutil.rmtree, folder, ignore_errors=True)
        mysql = servers.start_mysql(folder, OPTIONS)
        ends.callback(mysql.stop)
        set_up(mysql.url)
        from common import clock

        parts = {lines: made(lines) for lines in (FEW, MANY)}
        today = clock.now().date()
        found = measured(today)
        wrong = list(compared(today, found))
    facts = {"calls": TRIES, "mysql": mysql.version, **report.machine()}
    told = page(found, parts, facts, wrong)
    print("\n".join(told), flush=True)
    report.keep("days", told, {"about": facts, "made": parts, "wrong": wrong, "ms": found})
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
