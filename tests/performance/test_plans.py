"""No statement of the API or of a periodic task reads more than it is about, in a large database.

A small shop is made over HTTP and its rows copied, to thousands in each table; then each statement
is explained, run, and the rows that it read are counted.
"""

from collections.abc import Iterator
from copy import copy
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from accounts.ledger.models import PostingMark
from common import clock
from shop.flash_sales import selectors as flash_sales
from shop.flash_sales.models import FlashSale
from shop.models import SalesDay
from shop.orders.models import Order
from tests.api.test_query_budgets import BUDGETS, V1, World
from tests.api.test_webhooks import event, send, signed
from tests.factories.orders import ORDERS, place, post
from tests.performance import filling, shop
from tests.performance.allowed import ALLOWED
from tests.performance.plans import SMALL, Statement, Watch

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(1800)]

# What they compare is everything, with itself or with Stripe.
WHOLE = {"config.check_invariants", "payments.stripe.reconcile"}
PULSE = "config.pulse"
GETS = [f"GET {route}" for route in BUDGETS]
TASKS = sorted(
    {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()} - WHOLE - {PULSE}
)


@pytest.fixture(scope="module")
def filled(django_db_setup: None, migrated: Path, django_db_blocker: Any) -> Iterator[World]:
    """In a database of its own: what is committed here is gone with it."""
    assert connection.vendor == "mysql", "run me through: python .ci/servers.py run -- pytest"
    name = f"{connection.settings_dict['NAME']}_filled"
    with django_db_blocker.unblock(), shop.database(migrated.read_text(), name), shop.outside():
        before = filling.floors()
        world = shop.small_shop()
        world.grow()
        shop.rest(world)
        filling.fill(before)
        yield world


def faults(watch: Watch) -> str:
    """Each statement that reads too much with its plan; empty where none does."""
    found = [statement for statement in watch.seen if statement.faults]
    return "\n".join(str(one) for one in found if one.places.isdisjoint(ALLOWED))


def ask(world: World, watch: Watch) -> None:
    for route in BUDGETS:
        with watch.of(f"GET {route}"):
            answer = world.client(route).get(world.path(route))
        assert answer.status_code == 200, (route, answer.content)


def write(filled: World, watch: Watch) -> None:
    """Orders by card, wallet and in coins, flash purchases, refunds, stock, prices, an event."""
    # What it grows is rolled back, and unknown to the next test.
    world = copy(filled)
    with watch.of("writes"):
        world.grow()
        world.grow_fast()
        order = place(world.api, (world.last["slug"], 1))
        assert post(world.api, f"{ORDERS}{order['number']}/cancel/").status_code == 200
    payload = event(id_="evt_plans")
    with watch.of("webhook"):
        assert send(payload, signed(payload)) == 200
        world.drain()


def run_tasks(watch: Watch) -> None:
    for name in TASKS:
        with watch.of(name):
            shop.run(name)


def test_the_tables_are_large(filled: World) -> None:
    tables = {model._meta.db_table: model for model in filling.copied()}
    rows = {name: model._base_manager.count() for name, model in tables.items()}
    assert {name: n for name, n in rows.items() if n < 2 * SMALL} == {}
    assert Order.objects.filter(user=filled.owner).count() > SMALL


def test_every_get_finds_its_rows_by_an_index(filled: World) -> None:
    watch = Watch()
    ask(filled, watch)
    assert {statement.what for statement in watch.seen} <= {*GETS}
    assert len(watch.seen) > len(GETS)
    assert faults(watch) == ""


def test_a_year_of_sums_by_product_is_read_from_months(filled: World) -> None:
    """As staff ask for it: its days are those of the months that it has in part."""
    watch, route, until = Watch(), "/api/v1/admin/dashboard/", clock.now().date()
    period = f"?from={until - timedelta(days=364)}&to={until}"
    with watch.of(f"GET {route}"):
        assert filled.client(route).get(route + period).status_code == 200
    [sums] = [one for one in watch.seen if "shop_salesmonth" in one.sql]
    steps = {step.table: step for step in sums.plan}
    months, days = steps["shop_salesmonth"], steps["shop_salesday"]
    assert (months.access, months.index) == ("range", "salesmonth_summed")
    assert (days.access, days.index) == ("range", "salesday_summed")
    assert days.rows < SalesDay.objects.filter(day__gt=until - timedelta(days=365)).count() / 2


def test_every_write_finds_its_rows_by_an_index(filled: World) -> None:
    watch = Watch()
    write(filled, watch)
    assert len(watch.seen) > 200
    assert faults(watch) == ""


def test_every_periodic_task_finds_its_rows_by_an_index(filled: World) -> None:
    watch = Watch()
    run_tasks(watch)
    assert {statement.what for statement in watch.seen} > {"common.outbox.sweep"}
    assert faults(watch) == ""


def test_what_is_allowed_is_asked_for(filled: World) -> None:
    assert {what for what, _table in ALLOWED} <= {*GETS, *TASKS, "writes"}


def seen(*statements: str) -> list[Statement]:
    watch = Watch()
    with watch.of("a control"), connection.cursor() as cursor:
        for sql in statements:
            cursor.execute(sql)
    return watch.seen


def of_two_sales(filled: World) -> list[Statement]:
    """What reads the runs of a sale that has hundreds, and of another one."""
    assert filled.first is not None
    sale, watch = filled.first.sale, Watch()
    assert sale.runs.count() > SMALL
    with watch.of("two sales"):
        flash_sales.sales_now([sale, *FlashSale.objects.exclude(pk=sale.pk)[:1]])
    return watch.faulty


def test_of_many_sales_few_runs_are_read(filled: World) -> None:
    assert of_two_sales(filled) == []


def test_control_by_their_start_alone_all_runs_are_sorted(
    filled: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flash_sales, "NEWEST", ("-starts_at", "-pk"))
    assert of_two_sales(filled) != []


def test_control_without_its_index_a_statement_is_at_fault(filled: World) -> None:
    """The newest orders of a customer: by the index, without it, and sorted."""
    page = f"WHERE user_id = {filled.owner.pk} ORDER BY id DESC LIMIT 20"
    indexed, scanned, sorted_ = seen(
        f"SELECT id FROM shop_order {page}",
        f"SELECT id FROM shop_order IGNORE INDEX (order_by_user, PRIMARY) {page}",
        f"SELECT id FROM shop_order WHERE user_id = {filled.owner.pk} ORDER BY total, id LIMIT 20",
    )
    assert indexed.faults == []
    assert scanned.faults[0].startswith("the whole")
    assert sorted_.faults == [f"{sorted_.read} rows read for 20"]


def test_control_without_its_mark_the_trial_balance_reads_the_whole_ledger(filled: World) -> None:
    PostingMark.objects.update(until=0)
    route, watch = f"{V1}admin/ledger/trial-balance/", Watch()
    with watch.of(f"GET {route}"):
        filled.client(route).get(route)
    assert "the whole table of accounts_posting" in faults(watch)


def test_control_a_join_that_sorts_everything_is_at_fault(filled: World) -> None:
    """As the wallet's entries were once read."""
    [joined] = seen(
        "SELECT entry.id FROM accounts_posting AS entry JOIN accounts_account AS own"
        f" ON own.id = entry.account_id WHERE own.owner_id = {filled.owner.pk}"
        " ORDER BY entry.id DESC LIMIT 21"
    )
    assert joined.faults == [f"{joined.read} rows read for 21"]
