"""Attempts against the venue's statement: what is mended, what is left, what the command says."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models.functions import Now

from common import clock
from payments.exchange import gateway, services
from payments.exchange.errors import Unreachable
from payments.exchange.models import ExchangeAttempt, ExchangeOrder
from payments.stripe import gateway as stripe
from tests.factories.exchange import again, buy, listed, purchases, rich, wallet
from tests.factories.orders import own_rollbacks, settled

__all__ = ["own_rollbacks", "settled"]
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("own_rollbacks", "settled", "sandbox", "coins", "since"),
]
Drain = Callable[..., int]
HOUR = timedelta(hours=1)


@pytest.fixture
def coins(db: None) -> None:
    listed("ABAN")


@pytest.fixture
def since(venue: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The venue's stand-in is one for all tests: its statement is read as of this one's start."""
    start = len(list(gateway.statement(clock.now() - timedelta(days=9))))
    statement = gateway.statement
    monkeypatch.setattr(gateway, "statement", lambda since: list(statement(since))[start:])


def compare(*, dry_run: bool = False) -> tuple[Any, list[str]]:
    lines: list[str] = []
    since = clock.now() - HOUR
    return services.venue_reconcile(since=since, dry_run=dry_run, say=lines.append), lines


def lost(venue: Any, drain: Drain, settings: Any) -> tuple[Any, Any]:
    """An order that the venue has filled, and whose answer has not come."""
    settings.EXCHANGE_VENUE_TIMEOUT_SECONDS = 1.0
    buyer = rich(100_00)
    order = buy(buyer, "ABAN", "3")
    venue.fault("timeout_after", seconds=1.5)
    drain()
    assert again(buyer, order)["status"] == "settling"
    return buyer, order


def grow_old() -> None:
    ExchangeAttempt.objects.update(created_at=Now() - HOUR / 2)


def test_where_both_agree_nothing_is_said(venue: Any, drain: Drain) -> None:
    buy(rich(100_00), "ABAN", "3")
    drain()
    report, lines = compare()
    assert (report.compared, report.mended, report.left, lines) == (1, 0, 0, [])


def test_a_lost_answer_is_written_down_and_members_get_their_coins(
    venue: Any, drain: Drain, settings: Any
) -> None:
    buyer, order = lost(venue, drain, settings)
    dry, lines = compare(dry_run=True)
    assert (dry.mended, lines[0].split()[:2]) == (1, ["would", "mend"])
    assert again(buyer, order)["status"] == "settling"
    report, _ = compare()
    assert (report.mended, report.left) == (1, 0)
    assert again(buyer, order)["status"] == "settled"
    assert wallet(buyer)["ABAN"][0] == "3.00000000"
    assert compare()[0].mended == 0
    drain(later=True)
    assert purchases(venue) == [("ABAN", "3")]


def test_a_lost_refusal_gives_the_money_back(venue: Any, drain: Drain) -> None:
    buyer = rich(100_00)
    buy(buyer, "ABAN", "3")
    attempt = services.send._attempt_take(ExchangeOrder.objects.get().batch_id or 0)
    assert attempt is not None
    venue.fault("refuse")
    gateway.buy_from_exchange("ABAN", Decimal(3), attempt.client_order_id)
    assert compare()[0].mended == 1
    assert wallet(buyer) == {"USD": ("100.00", "0.00")}


def test_a_purchase_that_nobody_here_knows_is_left(venue: Any) -> None:
    name = uuid.uuid4().hex
    gateway.buy_from_exchange("ABAN", Decimal(3), name)
    report, lines = compare()
    assert (report.left, lines) == (1, [f"left  {name}: 3 ABAN, which is not here"])


def test_other_amounts_here_and_there_are_left(
    venue: Any, drain: Drain, monkeypatch: pytest.MonkeyPatch
) -> None:
    buy(rich(100_00), "ABAN", "3")
    drain()
    monkeypatch.setattr(services.reconcile, "_units", lambda attempt, answer: attempt.filled + 1)
    report, lines = compare()
    assert report.left == 1
    assert "3 ABAN at the venue, 3.00000000 here" in lines[0]


def test_what_the_venue_does_not_know_is_left(
    venue: Any, drain: Drain, monkeypatch: pytest.MonkeyPatch
) -> None:
    buy(rich(100_00), "ABAN", "3")
    drain()
    monkeypatch.setattr(gateway, "statement", lambda since: [])
    assert compare()[0].left == 0
    grow_old()
    report, lines = compare()
    assert (report.left, lines[0].split(": ")[1]) == (1, "filled here, unknown to the venue")


def test_a_question_from_before_the_statement_is_asked_by_its_id(
    venue: Any, drain: Drain, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    buyer, order = lost(venue, drain, settings)
    grow_old()
    monkeypatch.setattr(gateway, "statement", lambda since: [])
    assert compare()[0].mended == 1
    assert again(buyer, order)["status"] == "settled"


def test_a_question_that_never_reached_the_venue_is_left_to_be_retried(
    venue: Any, drain: Drain
) -> None:
    buy(rich(100_00), "ABAN", "3")
    venue.fault("reset")
    drain()
    grow_old()
    report, lines = compare()
    assert (report.left, "retry it" in lines[0]) == (1, True)
    assert purchases(venue) == []


def reconcile(*arguments: str) -> str:
    out = StringIO()
    call_command("reconcile", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def nothing_at_stripe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stripe's stand-in remembers the payments of all tests of a process."""
    for name in ("list_intents", "list_refunds", "list_disputes"):
        monkeypatch.setattr(stripe, name, lambda since: iter(()))


def test_the_command_compares_with_the_venue_as_well(
    venue: Any, drain: Drain, settings: Any, nothing_at_stripe: None
) -> None:
    lost(venue, drain, settings)
    assert "would mend" in reconcile("--dry-run")
    assert "1 venue orders: 1 mended, 0 left" in reconcile()
    assert "1 venue orders: 0 mended, 0 left" in reconcile()


def test_what_is_left_at_the_venue_is_exit_code_1(venue: Any, nothing_at_stripe: None) -> None:
    gateway.buy_from_exchange("ABAN", Decimal(3), uuid.uuid4().hex)
    with pytest.raises(CommandError, match="1 left") as error:
        reconcile()
    assert error.value.returncode == 1


def test_a_venue_that_gives_no_answer_is_an_error(
    venue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(since: Any) -> Any:
        raise Unreachable("ReadTimeout")

    monkeypatch.setattr(gateway, "statement", silent)
    with pytest.raises(CommandError, match="venue gave no answer"):
        reconcile()


def test_without_a_venue_the_command_says_nothing_of_it(
    settings: Any, nothing_at_stripe: None
) -> None:
    settings.EXCHANGE_VENUE_URL = ""
    assert "venue" not in reconcile()
