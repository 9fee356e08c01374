"""Does the dashboard of a million orders answer like the one of a thousand?

    make bench-dashboard [ORDERS=1000000]

Starts a throw-away MySQL and Redis, fills two databases by SQL (1,000 and ORDERS orders of the last
90 days, with lines, payments, refunds, changes of price and a flash run), has
`rebuild_statistics` count both, and asks the shop's own WSGI applications, one process for each
database, in turn: the public page and the staff's, as JSON and HTML, with the figures kept in the
cache and without. Prints p50 and their ratios, and writes benchmarks/results/dashboard-DATE.json.
Exit code 1 where a ratio is above 1.5.
"""

import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

import servers

from benchmarks import ROOT, report

FEW, MANY = 1_000, int(os.environ.get("ORDERS") or 1_000_000)
ROUNDS = int(os.environ.get("ROUNDS") or 9)
CALLS = 12
MOST = 1.5
DAYS = 90
DAY = timedelta(days=1)
PAGES = {
    "public JSON": "/api/v1/dashboard/",
    "public HTML": "/",
    "staff JSON": "/api/v1/admin/dashboard/",
    "staff HTML": "/admin/dashboard/",
    "staff JSON, 90 days by week": "/api/v1/admin/dashboard/?from={since}&granularity=week",
}
KEPT = {"kept": True, "not kept": False}


def say(text: str) -> None:
    print(f"bench-dashboard: {text}", file=sys.stderr, flush=True)


# In the process of one database.

# `n` counts orders from 1; `{}` is how many there are.
FILL = (
    "CREATE TABLE bench (n BIGINT PRIMARY KEY, at DATETIME(6), product BIGINT, price BIGINT,"
    " fate VARCHAR(20), method VARCHAR(10))",
    "INSERT INTO bench SELECT d.n, UTC_TIMESTAMP(6) - INTERVAL (d.n * 7776000 DIV {orders}) SECOND,"
    " p.id, p.list_price,"
    " CASE d.n % 20 WHEN 0 THEN 'cancelled' WHEN 1 THEN 'expired' WHEN 2 THEN 'partially_refunded'"
    " ELSE 'paid' END, ELT(1 + d.n % 3, 'stripe', 'crypto', 'wallet')"
    " FROM (SELECT 1 + a.i + 10*b.i + 100*c.i + 1000*d.i + 10000*e.i + 100000*f.i AS n"
    " FROM {digits} a, {digits} b, {digits} c, {digits} d, {digits} e, {digits} f) d"
    " JOIN (SELECT id, list_price, ROW_NUMBER() OVER (ORDER BY id) - 1 AS place"
    " FROM shop_product) p"
    " ON p.place = d.n % (SELECT COUNT(*) FROM shop_product) WHERE d.n <= {orders}",
    "INSERT INTO shop_order (id, number, user_id, status, fulfilment, currency, total, refunded,"
    " placed_at, expires_at, deadline_suspended, paid_at)"
    " SELECT n, CONCAT('B', LPAD(n, 12, '0')), {user}, fate, 'unfulfilled', 'USD', 2 * price,"
    " IF(fate = 'partially_refunded', price, 0), at, at + INTERVAL 15 MINUTE, 0,"
    " IF(fate IN ('cancelled', 'expired'), NULL, at) FROM bench",
    "INSERT INTO shop_orderline (order_id, product_id, user_id, sku, name, unit_price, quantity,"
    " total, refunded, refunded_quantity, restocked_quantity, purchased_at)"
    " SELECT n, product, {user}, 'sku', 'name', price, 2, 2 * price,"
    " IF(fate = 'partially_refunded', price, 0), IF(fate = 'partially_refunded', 1, 0), 0,"
    " IF(fate IN ('cancelled', 'expired'), NULL, at) FROM bench",
    "INSERT INTO payments_payment (id, uid, order_id, user_id, method, status, reason, currency,"
    " amount, captured, refund_pending, refunded, created_at, expires_at)"
    " SELECT n, LEFT(SHA2(n, 256), 32), n, {user}, method,"
    " IF(fate IN ('cancelled', 'expired'), 'expired', 'succeeded'), '', 'USD', 2 * price,"
    " IF(fate IN ('cancelled', 'expired'), 0, 2 * price), 0,"
    " IF(fate = 'partially_refunded', price, 0), at, at + INTERVAL 15 MINUTE FROM bench",
    "INSERT INTO payments_refund (uid, payment_id, status, currency, amount, restock, source,"
    " destination, to_address, reason, failure, created_at, decided_at)"
    " SELECT LEFT(SHA2(n, 256), 32), n, 'succeeded', 'USD', price, 0, 'sale', 'original', '', '',"
    " '', at, at"
    " FROM bench WHERE fate = 'partially_refunded'",
    "INSERT INTO shop_flashpurchase (run_id, order_id, user_id, quantity, state, paid_at, position)"
    " SELECT {run}, n, {user}, 1, 'paid', UTC_TIMESTAMP(6) - INTERVAL 100000 - n SECOND, n"
    " FROM bench WHERE n <= {units}",
    "INSERT INTO shop_flashunit (run_id, number, state, purchase_id, user_id, slot)"
    " SELECT run_id, position, 'sold', id, user_id, NULL FROM shop_flashpurchase",
    "INSERT INTO shop_flashtally (run_id, held, sold, returned)"
    " SELECT run_id, 0, COUNT(*), 0 FROM shop_flashunit GROUP BY run_id",
)
DIGITS = "(SELECT 0 AS i " + "".join(f"UNION ALL SELECT {n} " for n in range(1, 10)) + ")"


def fill(orders: int) -> None:
    from django.db import connection  # the settings are known only in a child

    from accounts.users.models import User
    from shop.catalogue.models import Product

    user = User.objects.create_superuser(
        email="bench@example.org", username="bench", password="bench-password-1"
    )
    units = min(100_000, orders // 10)
    known = {"orders": orders, "user": user.pk, "units": units, "run": _run(units)}
    for number, product in enumerate(Product.objects.order_by("pk")):
        _reprice(product, number)
    with connection.cursor() as cursor:
        # Only while it is filled; what is measured are reads.
        cursor.execute("SET SESSION foreign_key_checks=0, SESSION sql_log_bin=0")
        for statement in FILL:
            cursor.execute(statement.format(**known, digits=DIGITS))
        cursor.execute("SET SESSION foreign_key_checks=1")
        cursor.execute(
            "ANALYZE TABLE shop_order, shop_orderline, payments_payment, payments_refund,"
            " shop_flashpurchase, shop_flashunit"
        )


def _run(units: int) -> int:
    from common import clock
    from shop.catalogue.models import Product
    from shop.flash_sales.models import FlashRun, FlashSale

    product = Product.objects.order_by("pk").first()
    sale = FlashSale.objects.create(slug="rush", product=product, price=500)
    start = clock.now() - 2 * DAY
    return FlashRun.objects.create(
        sale=sale,
        number=1,
        price=500,
        allocation=max(1, units),
        starts_at=start,
        ended_at=start + DAY,
        end="sold",
    ).pk


def _reprice(product: Any, number: int) -> None:
    """A change within the usual period, with whole days of sales on both sides."""
    from django.db.models import QuerySet

    from common import clock
    from shop.catalogue.models import PriceChange
    from shop.catalogue.services import product_update

    changes: Any = {"list_price": product.list_price + 100}
    product_update(slug=product.slug, changes=changes, actor_id=None)
    first, second = PriceChange.objects.filter(product=product).order_by("pk")[:2]
    rows: QuerySet[PriceChange] = QuerySet(PriceChange)
    rows.filter(pk=first.pk).update(changed_at=clock.now() - 95 * DAY)
    rows.filter(pk=second.pk).update(changed_at=clock.now() - (5 + number / 3) * DAY)


class Visitor:
    """Calls of the shop's WSGI application, as nobody or as a member of staff."""

    def __init__(self) -> None:
        from django.test import Client

        from accounts.sessions.services import session_start
        from accounts.users.models import User
        from common import clock
        from config.wsgi import application

        self.application = application
        user = User.objects.get(username="bench")
        client = Client()
        client.force_login(user)
        self.cookie = f"sessionid={client.cookies['sessionid'].value}"
        self.bearer = f"Bearer {session_start(user_id=user.pk).access}"
        self.since = (clock.now() - (DAYS - 1) * DAY).date()

    def milliseconds(self, page: str) -> float:
        path, _, query = PAGES[page].format(since=self.since).partition("?")
        seen: list[str] = []
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "HTTP_HOST": "127.0.0.1",
            "HTTP_COOKIE": self.cookie if page == "staff HTML" else "",
            "HTTP_AUTHORIZATION": self.bearer if page.startswith("staff JSON") else "",
            "REMOTE_ADDR": "127.0.0.1",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": sys.stderr,
            "wsgi.url_scheme": "http",
            "wsgi.version": (1, 0),
            "wsgi.multithread": False,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        started = time.perf_counter()
        answer = self.application(environ, lambda status, headers, *_: seen.append(status))
        body = b"".join(answer)
        answer.close()
        taken = (time.perf_counter() - started) * 1000
        if seen != ["200 OK"]:
            raise RuntimeError(f"{page}: {seen}: {body[:500]!r}")
        return taken


class Nothing:
    """A cache that has nothing, and whose every lock is free."""

    def get(self, *_: Any) -> None: ...

    def set(self, *_: Any) -> None: ...

    def delete(self, *_: Any) -> None: ...

    def add(self, *_: Any) -> bool:
        return True


def child(orders: int) -> int:
    """Fill, count, then answer each line of input, `[page, kept]`, with a line of milliseconds."""
    import django

    django.setup()
    from django.core.management import call_command

    from dashboards import store
    from payments.market.services import prices_tick

    # What commands print is no answer.
    answers, sys.stdout = sys.stdout, sys.stderr
    call_command("migrate", verbosity=0)
    prices_tick(every=1)
    times = {"fill": _seconds(lambda: fill(orders))}
    times["rebuild"] = _seconds(lambda: call_command("rebuild_statistics"))
    times["check"] = _seconds(lambda: call_command("rebuild_statistics", "--check"))
    visitor, cache = Visitor(), store.cache
    print(json.dumps(times), file=answers, flush=True)
    for line in sys.stdin:
        page, kept = json.loads(line)
        store.cache = cache if kept else Nothing()
        visitor.milliseconds(page)
        found = [visitor.milliseconds(page) for _ in range(CALLS)]
        print(json.dumps(found), file=answers, flush=True)
    return 0


def _seconds(work: Any) -> float:
    started = time.monotonic()
    work()
    return round(time.monotonic() - started, 1)


# In the process that compares them.


class Asked:
    """The process of one database."""

    def __init__(self, orders: int, mysql: str, redis: str) -> None:
        name = f"bench_{orders}"
        url = mysql.rpartition("/")[0] + f"/{name}"
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "benchmarks.shop.settings",
            "SECRET_KEY": "a-secret-key-for-the-benchmark-0123456789-abcdefghijklmnop",
            "JWT_SIGNING_KEY": "a-signing-key-for-the-benchmark-0123456789-abcdefghijklmnop",
            "DATABASE_URL": url,
            "REDIS_URL": redis,
            "STRIPE_SANDBOX_URL": "http://127.0.0.1:1",
            "STRIPE_WEBHOOK_SECRET": "whsec_benchmark",
            "SECURE_SSL_REDIRECT": "0",
            "RATE_LIMIT_FACTOR": "0",
            # A statement of a million rows takes longer than any of the shop's own.
            "MYSQL_READ_TIMEOUT": "0",
            "MARKET_SIMULATED": "1",
            "LOG_LEVEL": "ERROR",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.dashboard", "--child", str(orders)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _line(self) -> Any:
        out: TextIO | None = self.process.stdout
        line = out.readline() if out else ""
        if not line:
            raise RuntimeError(f"the process of a database ended: {self.process.wait()}")
        return json.loads(line)

    def ready(self) -> dict[str, float]:
        found: dict[str, float] = self._line()
        return found

    def times(self, page: str, *, kept: bool) -> list[float]:
        into: TextIO | None = self.process.stdin
        if into:
            print(json.dumps([page, kept]), file=into, flush=True)
        found: list[float] = self._line()
        return found

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


def databases(url: str) -> None:
    """Two empty ones beside the server's own."""
    import MySQLdb
    from environ import Env

    known = Env.db_url_config(url)
    connection = MySQLdb.connect(
        host=known["HOST"], port=int(known["PORT"]), user=known["USER"], password=known["PASSWORD"]
    )
    for orders in (FEW, MANY):
        connection.cursor().execute(f"CREATE DATABASE bench_{orders} CHARACTER SET utf8mb4")
    connection.close()


def measured(shops: dict[int, Asked]) -> dict[str, dict[int, list[float]]]:
    found: dict[str, dict[int, list[float]]] = {}
    for number in range(ROUNDS):
        for page in PAGES:
            for name, kept in KEPT.items():
                # Each goes first in turn, so that a change of load meets both.
                for orders in (FEW, MANY)[:: 1 if number % 2 else -1]:
                    times = shops[orders].times(page, kept=kept)
                    found.setdefault(f"{page}, {name}", {}).setdefault(orders, []).extend(times)
        say(f"round {number + 1} of {ROUNDS}")
    return found


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="souk-bench-"))
    with ExitStack() as ends:
        ends.callback(shutil.rmtree, folder, ignore_errors=True)
        for name in ("mysql", "redis"):
            (folder / name).mkdir()
        mysql, redis = servers.start_mysql(folder / "mysql"), servers.start_redis(folder / "redis")
        ends.callback(mysql.stop)
        ends.callback(redis.stop)
        databases(mysql.url)
        shops, made = {}, {}
        for place, orders in enumerate((FEW, MANY)):
            address = f"{redis.url.rpartition('/')[0]}/{place}"
            shops[orders] = Asked(orders, mysql.url, address)
            ends.callback(shops[orders].stop)
            made[orders] = shops[orders].ready()
            say(f"{orders:,} orders: {made[orders]} seconds")
        found = measured(shops)
        about = {"mysql": mysql.version, "rounds": ROUNDS, "calls": CALLS, **report.machine()}
    medians = {
        way: {orders: round(statistics.median(times), 2) for orders, times in sizes.items()}
        for way, sizes in found.items()
    }
    ratios = {way: round(sizes[MANY] / sizes[FEW], 2) for way, sizes in medians.items()}
    print(f"p50 in ms at {FEW:,} and {MANY:,} orders, and their ratio (at most {MOST}):")
    for way, sizes in medians.items():
        print(f"{way:>40}: {sizes[FEW]:8.2f} {sizes[MANY]:8.2f} {ratios[way]:6.2f}")
    report.RESULTS.mkdir(exist_ok=True)
    path = report.RESULTS / f"dashboard-{datetime.now(UTC):%Y-%m-%d}.json"
    result = {"about": about, "seconds": made, "p50_ms": medians, "ratios": ratios}
    path.write_text(json.dumps(result, indent=1) + "\n")
    return 1 if max(ratios.values()) > MOST else 0


if __name__ == "__main__":
    sys.exit(child(int(sys.argv[2])) if sys.argv[1:2] == ["--child"] else main())
