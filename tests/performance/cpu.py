"""Processor time of requests, measured in a process of its own.

In that of the tests coverage would be measured too, and the objects of thousands of them.
"""

import gc
import io
import json
import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import process_time_ns
from typing import Any, Final

from django.conf import settings
from django.db import connection
from django.test import override_settings
from django.test.utils import setup_test_environment, teardown_databases

from tests import databases
from tests.api.test_query_budgets import World
from tests.performance import calls, filling, shop
from tests.performance.budgets import BUDGETS, SLACK

ROUNDS: Final = 3
# At once: the first one finds the processor's caches full of something else.
BURST: Final = 5
# How often what looks wrong is measured again.
AGAIN: Final = 6
# Pages of 20 are full with these.
COPIES: Final = 30
# For the control: their views work twice.
DOUBLED: Final = (
    *("GET /api/v1/orders/", "GET /api/v1/flash-sales/"),
    *("GET /api/v1/admin/orders/", "GET /api/v1/admin/dashboard/"),
)

Call = Callable[[], Any]
Ratios = dict[str, float]


def measured(asked: dict[str, Call], empty: Call) -> Ratios:
    """The least time of each call to the least of the empty one beside it."""
    times: dict[str, list[tuple[int, int]]] = {name: [] for name in asked}
    for call in (*asked.values(), empty):
        call()
    for _ in range(ROUNDS):
        gc.collect()
        for name, call in asked.items():
            times[name].append((_least(call), _least(empty)))
    return {name: _ratio(*zip(*found, strict=True)) for name, found in times.items()}


def _least(call: Call) -> int:
    return min(_time(call) for _ in range(BURST))


def _time(call: Call) -> int:
    start = process_time_ns()
    call()
    return process_time_ns() - start


def _ratio(own: tuple[int, ...], nothing: tuple[int, ...]) -> float:
    return round(min(own) / min(nothing), 2)


def confirmed(
    asked: dict[str, Call], empty: Call, doubtful: Callable[[str, float], bool], keep: Any
) -> Ratios:
    """Measured again while it is doubtful, some times at most; `keep` takes one of two ratios."""
    found = measured(asked, empty)
    for _ in range(AGAIN):
        names = [name for name, ratio in found.items() if doubtful(name, ratio)]
        again = measured({name: asked[name] for name in names}, empty) if names else {}
        found |= {name: keep(found[name], ratio) for name, ratio in again.items()}
    return found


def is_over(name: str, ratio: float) -> bool:
    return ratio > SLACK * BUDGETS.get(name, ratio)


def is_within(name: str, ratio: float) -> bool:
    return not is_over(name, ratio)


def both(world: World) -> dict[str, Ratios]:
    empty = calls.empty(world)
    doubled = {name: calls.get(world, name, twice=True) for name in DOUBLED}
    asked = calls.calls(world)
    gc.collect()
    gc.freeze()
    gc.disable()
    return {
        "twice": confirmed(doubled, empty, is_within, max),
        "once": confirmed(asked, empty, is_over, min),
    }


@contextmanager
def _database(dump: str, name: str) -> Iterator[None]:
    if dump:
        with shop.database(Path(dump).read_text(), name):
            yield
        return
    with tempfile.TemporaryDirectory() as folder:
        made = databases._made(Path(folder) / "migrated.sql")
    yield
    teardown_databases(made, verbosity=0)


def main(words: list[str]) -> int:
    # Lines of the log are made as ever, and kept to themselves.
    logging.getLogger().handlers[0].setStream(io.StringIO())
    assert connection.vendor == "mysql", "run me through: python .ci/servers.py run -- python -m …"
    setup_test_environment()
    middleware = [*settings.MIDDLEWARE, "tests.performance.twice.Twice"]
    own = override_settings(ROOT_URLCONF="tests.performance.urls", MIDDLEWARE=middleware)
    dump, name = words or ("", "")
    with _database(dump, name), shop.outside(), own:
        before = filling.floors()
        world = shop.small_shop()
        filling.fill(before, COPIES, share=1)
        found = both(world)
    print(json.dumps(found if words else found["once"], indent=4))
    return 0
