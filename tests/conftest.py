"""Fixtures of all tests."""

import gc
import json
import os
import uuid
from collections.abc import Callable, Collection, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis
from slipcover import print_coverage

from payments.sandbox.stripe import StripeSandbox
from payments.stripe.port import StripeGateway
from shop.flash_sales.live import store as live
from tests.databases import django_db_setup, migrated, shared_folder
from tests.factories.exchange import _venue, venue
from tests.factories.outbox import drained
from tests.factories.users import StaffFactory, UserFactory, client_for
from tests.sizes import PROVE

__all__ = ["_venue", "django_db_setup", "migrated", "shared_folder", "venue"]

SECRET = "whsec_tests"
# The pace of a machine is no property of the code; new examples are tried in `make prove`.
hypothesis.register_profile(
    "souk", deadline=None, derandomize=not PROVE, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis.load_profile("souk")
SLOW = ("tests/e2e/", "tests/faults/", "tests/races/")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave to `make prove` what shows at length what a shorter test shows as well."""
    if not PROVE:
        left = [item for item in items if item.get_closest_marker("at_length")]
        items[:] = [item for item in items if item not in left]
        config.hook.pytest_deselected(items=left)
    place = _places({file_of(item): None for item in items})
    items.sort(key=lambda item: place[file_of(item)])


def file_of(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def _places(files: Collection[str]) -> dict[str, int]:
    """Files that wait for processes beside files that compute, and none of them at the very end.

    While the first process migrates a database, the others have what needs none.
    """
    slow, unit, quick = ([f for f in files if kind(f) == k] for k in ("slow", "unit", "quick"))
    mixed = [file for pair in zip_longest(slow, quick[1:]) for file in pair if file]
    return {file: number for number, file in enumerate([*quick[:1], *unit, *mixed])}


def kind(file: str) -> str:
    if file.startswith(SLOW):
        return "slow"
    return "unit" if file.startswith("tests/unit/") else "quick"


def pytest_collection_finish() -> None:
    """Thousands of tests stay until the end: looked through again and again, they take time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture(autouse=True)
def _counted_figures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction that is rolled back publishes nothing: what was published before is wrong."""
    marker = request.node.get_closest_marker("django_db")
    if marker is None or not marker.kwargs.get("transaction"):
        for board in (live.RedisBoard, live.LocalBoard):
            monkeypatch.setattr(board, "fetch", lambda self, slug: None)


@pytest.fixture(scope="session")
def _stripe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StripeSandbox]:
    path = Path(tmp_path_factory.mktemp("stripe")) / f"{uuid.uuid4().hex}.sqlite3"
    with StripeSandbox(path, webhook_secret=SECRET) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(_stripe: StripeSandbox, venue: Any, settings: Any) -> Iterator[StripeSandbox]:
    """Stripe's stand-in over real HTTP, and the exchange venue's beside it.

    Stripe's events wait until a test delivers them.
    """
    settings.STRIPE_API_BASE = _stripe.url
    _stripe.clear_faults()
    _stripe.take_events(include_delayed=True)
    yield _stripe
    _stripe.clear_faults()


@pytest.fixture
def drain() -> Callable[..., int]:
    return drained


@pytest.fixture
def deliver(sandbox: StripeSandbox) -> Callable[[], list[int]]:
    """Post the sandbox's waiting events to the webhook; the statuses of the answers."""

    def post() -> list[int]:
        client = Client()
        return [
            client.post(
                "/webhooks/stripe/",
                payload,
                content_type="application/json",
                headers={"Stripe-Signature": signature},
            ).status_code
            for payload, signature in sandbox.take_events()
        ]

    return post


@pytest.fixture
def customer(db: None) -> Any:
    return UserFactory()


@pytest.fixture
def api(customer: Any) -> Any:
    """A client signed in as `customer`."""
    return client_for(customer)


@pytest.fixture
def staff_api(db: None) -> Any:
    return client_for(StaffFactory())


@pytest.fixture
def no_stripe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Orders are placed without asking Stripe for an intent: no HTTP takes part."""
    monkeypatch.setattr(StripeGateway, "open", lambda self, payment_id: None)


@pytest.fixture
def real_mysql() -> None:
    """Races prove nothing on SQLite, which ignores row locks: fail, do not skip."""
    assert connection.vendor == "mysql", "needs MySQL: make test"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What a test that passed wants seen, whichever process ran it; then what was covered."""
    for report in terminalreporter.getreports("passed"):
        for name, text in report.user_properties:
            if name == "shown":
                terminalreporter.write_line(str(text))
    # Slipcover itself writes nothing before pytest's last line, which is to stay the last.
    covered = Path(os.environ.get("SLIPCOVER_COVERAGE_DIR", "/")) / "merged.json"
    if covered.is_file():
        print_coverage(json.loads(covered.read_text()), missing_width=40, skip_covered=True)
