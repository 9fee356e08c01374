"""Does a deep page of the leaderboard cost more than the first? Fills a run and asks the real view.

    make bench-leaderboard [ROWS=10000000]

Starts a throw-away MySQL and fills one run with ROWS paid purchases, by multi-row INSERTs with the
checks of foreign keys off: there are no orders behind them, which the leaderboard does not read.
Pages are asked in turn, so that a change of load meets all depths; the cursor of each is the one
that the page before it links to. Prints p50 and p99 of the time in MySQL and of the whole view,
and the plan, and writes benchmarks/results/leaderboard-DATE.json. Exit code 1 where the p99 of any
depth in MySQL is more than three times the first page's.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import servers

from benchmarks import ROOT, report

BATCH = 50_000
TRIES = int(os.environ.get("TRIES", "300"))
PAGE = 20
TIMES_FIRST = 3


def say(text: str) -> None:
    print(f"bench-leaderboard: {text}", file=sys.stderr, flush=True)


def set_up(url: str) -> None:
    os.environ |= {"DJANGO_SETTINGS_MODULE": "config.settings.test", "TEST_DATABASE_URL": url}
    os.environ.pop("TEST_REDIS_URL", None)
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, check=True)
    import django

    django.setup()


def run_of(rows: int) -> Any:
    """A run that is over; its allocation is what the column's CHECK allows."""
    from accounts.users.models import User
    from common import clock
    from shop.catalogue.models import Product
    from shop.flash_sales.models import FlashRun, FlashSale

    people = [User(email=f"b{n}@example.org", username=f"b{n}", name=f"B {n}") for n in range(1000)]
    User.objects.bulk_create(people)
    product = Product.objects.order_by("pk").first()
    sale = FlashSale.objects.create(slug="rush", product=product, price=500)
    start = clock.now() - timedelta(days=1)
    return FlashRun.objects.create(
        sale=sale, number=1, price=500, allocation=min(rows, 100_000), starts_at=start
    )


def fill(run_id: int, rows: int) -> None:
    from django.db import connection

    from accounts.users.models import User

    first = User.objects.filter(username="b0").values_list("pk", flat=True).get()
    # The server counts the rows itself: sent as text, ten million of them take ten minutes.
    batch = (
        "INSERT INTO shop_flashpurchase "
        "(run_id, order_id, user_id, quantity, state, paid_at, position) "
        "WITH RECURSIVE all_of (n) AS (SELECT %s UNION ALL SELECT n + 1 FROM all_of WHERE n < %s) "
        "SELECT %s, n, %s + n %% 1000, 1, 'paid', %s + INTERVAL n * 1000 MICROSECOND, n FROM all_of"
    )
    began = datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=20)
    with connection.cursor() as cursor:
        # Only while it is filled; what is measured are reads.
        for flag in ("innodb_flush_log_at_trx_commit=0", "sync_binlog=0"):
            cursor.execute(f"SET GLOBAL {flag}")
        for flag in ("foreign_key_checks=0", "sql_log_bin=0", f"cte_max_recursion_depth={BATCH}"):
            cursor.execute(f"SET SESSION {flag}")
        told = time.monotonic()
        for start in range(1, rows + 1, BATCH):
            last = min(start + BATCH - 1, rows)
            cursor.execute(batch, (start, last, run_id, first, began))
            if time.monotonic() - told > 10:
                told = time.monotonic()
                say(f"{last:,} of {rows:,} rows")
        cursor.execute("SET SESSION foreign_key_checks=1")
        cursor.execute("ANALYZE TABLE shop_flashpurchase")


def depths(rows: int) -> dict[str, int]:
    """Positions after which a page begins, by the page's number."""
    pages = (1, 1_000, 50_000, rows // PAGE // 2, rows // PAGE - 1)
    wanted = sorted({min(page, rows // PAGE - 1) for page in pages})
    return {f"page {page:,}": (page - 1) * PAGE for page in wanted}


class Asked:
    """Calls of the real view, with the time that its statements took."""

    def __init__(self) -> None:
        from rest_framework.test import APIRequestFactory

        from shop.flash_sales.api import Leaderboard

        self.view = Leaderboard.as_view()
        self.requests = APIRequestFactory(HTTP_HOST="localhost")
        self.statements: list[tuple[str, Any, float]] = []

    def page(self, position: int) -> tuple[float, float, Any]:
        from django.db import connection

        cursor = b64encode(urlencode({"p": position}).encode()).decode()
        query = {"cursor": cursor} if position else {}
        request = self.requests.get("/api/v1/flash-sales/rush/leaderboard/", query)
        self.statements.clear()
        started = time.perf_counter()
        with connection.execute_wrapper(self._timed):
            answer = self.view(request, slug="rush")
            answer.render()
        whole = (time.perf_counter() - started) * 1000
        assert answer.status_code == 200, answer.data
        assert answer.data["results"][0]["position"] == position + 1, answer.data
        page = next(one for one in self.statements if "`position` ASC" in one[0])
        return sum(ms for _, _, ms in self.statements), whole, page

    def _timed(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        started = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        except Exception as error:
            # The view answers a refusal in its place, which does not say what MySQL said.
            say(f"{type(error).__name__}: {error}\n{sql}\n{params}")
            raise
        finally:
            self.statements.append((sql, params, (time.perf_counter() - started) * 1000))


def explained(statement: Any) -> str:
    from django.db import connection

    sql, params, _ = statement
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN ANALYZE {sql}", params)
        return str(cursor.fetchone()[0]).rstrip()


def quantile(values: list[float], share: float) -> float:
    return round(sorted(values)[min(len(values) - 1, int(len(values) * share))], 3)


def measure(rows: int) -> dict[str, dict[str, float]]:
    asked, places = Asked(), depths(rows)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in places}
    for _ in range(TRIES):
        for name, position in places.items():
            in_mysql, whole, last = asked.page(position)
            times[name].append((in_mysql, whole))
    print(f"The plan of the last page's statement:\n{explained(last)}\n")
    found = {}
    for name, pairs in times.items():
        in_mysql, whole = [a for a, _ in pairs], [b for _, b in pairs]
        found[name] = {
            "mysql_p50_ms": round(statistics.median(in_mysql), 3),
            "mysql_p99_ms": quantile(in_mysql, 0.99),
            "view_p50_ms": round(statistics.median(whole), 3),
            "view_p99_ms": quantile(whole, 0.99),
        }
    return found


def main() -> int:
    rows = int(os.environ.get("ROWS") or 10_000_000)
    folder = Path(tempfile.mkdtemp(prefix="souk-bench-"))
    with ExitStack() as ends:
        ends.callback(shutil.rmtree, folder, ignore_errors=True)
        mysql = servers.start_mysql(folder)
        ends.callback(mysql.stop)
        set_up(mysql.url)
        started = time.monotonic()
        fill(run_of(rows).pk, rows)
        say(f"{rows:,} rows in {time.monotonic() - started:.0f} s")
        found = measure(rows)
    for name, row in found.items():
        print(f"{name:>14}: " + ", ".join(f"{key} {value}" for key, value in row.items()))
    first, worst = (f([r["mysql_p99_ms"] for r in found.values()]) for f in (lambda x: x[0], max))
    print(f"the slowest depth to the first page, p99 in MySQL: {worst / first:.2f}")
    report.RESULTS.mkdir(exist_ok=True)
    about = {"rows": rows, "tries": TRIES, "mysql": mysql.version, **report.machine()}
    path = report.RESULTS / f"leaderboard-{datetime.now(UTC):%Y-%m-%d}.json"
    path.write_text(json.dumps({"about": about, "pages": found}, indent=1) + "\n")
    return 1 if worst > TIMES_FIRST * first else 0


if __name__ == "__main__":
    sys.exit(main())
