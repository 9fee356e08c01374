"""The sums that are carried on: the trial balance is that of every posting, wherever they end."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.ledger import selectors, services
from accounts.ledger.models import Posting, PostingMark, PostingSum, Transfer
from accounts.ledger.rules import Kind, house, move
from common.fields import sums
from config import invariants
from tests.factories.orders import own_rollbacks
from tests.factories.wallet import aged

__all__ = ["own_rollbacks"]
pytestmark = pytest.mark.django_db

HUGE = 10**60


def moved(amount: int, currency: str = "USD") -> Transfer:
    """From one of the house's accounts to another, just now."""
    debit, credit = house(Kind.STRIPE_CLEARING, currency), house(Kind.SALES, currency)
    return services.transfer_post(
        reference=f"test:{Transfer.objects.count()}",
        kind="test",
        entries=move(amount, debit=debit, credit=credit),
    )


@pytest.fixture
def past() -> list[Transfer]:
    """Transfers that are settled, in two currencies, with gaps in their keys."""
    amounts = [(1, "USD"), (20, "USD"), (HUGE, "ETH"), (300, "USD"), (HUGE, "ETH")]
    found = []
    for amount, currency in amounts:
        found.append(aged(moved(amount, currency)))
        given_up = transaction.savepoint()
        moved(7)
        transaction.savepoint_rollback(given_up)
    return found


def mark() -> int:
    return PostingMark.objects.get().until


def carried() -> dict[Any, int]:
    return sums(PostingSum.objects.all(), "currency", "side")


def shown() -> dict[str, tuple[int, int, int]]:
    return {
        row["currency"]: (row["debit"], row["credit"], row["difference"])
        for row in selectors.trial_balance()
    }


def breaches() -> list[str]:
    return [line for line in invariants.breaches() if line.startswith("10 ")]


PAST = {"ETH": (2 * HUGE, 2 * HUGE, 0), "USD": (321, 321, 0)}


@pytest.mark.parametrize("size", [1, 2, 3, 10_000])
def test_the_balance_is_the_same_before_and_after_whatever_a_batch_is(
    past: list[Transfer], monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(services, "BATCH", size)
    assert shown() == PAST
    assert services.sums_carry() >= 1
    assert shown() == PAST
    assert mark() == past[-1].pk
    assert carried() == sums(Posting.objects.all(), "currency", "side")
    assert services.sums_carry() == 0
    assert shown() == PAST
    assert breaches() == []


def test_what_came_after_the_mark_is_added(past: list[Transfer]) -> None:
    services.sums_carry()
    moved(4_000)
    moved(5, "BTC")
    assert shown() == {**PAST, "BTC": (5, 5, 0), "USD": (4_321, 4_321, 0)}
    assert services.sums_carry() == 0
    aged(Transfer.objects.latest("pk"))
    services.sums_carry()
    assert carried() == sums(Posting.objects.all(), "currency", "side")
    assert shown() == {**PAST, "BTC": (5, 5, 0), "USD": (4_321, 4_321, 0)}


def test_only_what_came_after_the_mark_is_read(past: list[Transfer]) -> None:
    services.sums_carry()
    with CaptureQueriesContext(connection) as caught:
        selectors.trial_balance()
    [asked] = caught
    assert "accounts_postingmark" in asked["sql"]


def test_an_empty_ledger_has_nothing_to_carry() -> None:
    assert services.sums_carry() == 0
    assert shown() == {}


def test_a_difference_is_shown_wherever_it_is(past: list[Transfer]) -> None:
    """Sums that had to be equal would hide what the balance is there to show."""
    lone = Posting.objects.filter(transfer=past[0], side="debit")
    lone._raw_delete(lone.db)
    assert shown()["USD"] == (320, 321, -1)
    services.sums_carry()
    assert shown()["USD"] == (320, 321, -1)


def test_a_batch_is_carried_whole_or_not_at_all(
    past: list[Transfer], own_rollbacks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(row: PostingSum, **_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(PostingSum, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            services.sums_carry()
    assert (mark(), carried()) == (0, {})
    assert shown() == PAST
    services.sums_carry()
    assert shown() == PAST
    assert breaches() == []


def test_one_run_takes_a_while_at_most_and_the_next_goes_on(
    past: list[Transfer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "BATCH", 1)
    assert [services.sums_carry(seconds=0) for _ in range(6)] == [1, 1, 1, 1, 1, 0]
    assert shown() == PAST


def test_a_sum_changed_by_hand_is_found_and_made_again(past: list[Transfer]) -> None:
    services.sums_carry()
    PostingSum.objects.filter(currency="USD", side="debit").update(amount=1)
    assert breaches() == [f"10 debit USD until transfer {past[-1].pk}: 1 kept, 321 posted"]
    with pytest.raises(CommandError, match="1 differences"):
        call_command("rebuild_statistics", check=True, stdout=StringIO(), stderr=StringIO())
    call_command("rebuild_statistics", stdout=StringIO())
    call_command("rebuild_statistics", check=True, stdout=StringIO())
    assert (shown(), breaches()) == (PAST, [])


@pytest.mark.parametrize("lost", ["the sums", "the mark"])
def test_rows_that_are_lost_are_found_and_made_again(past: list[Transfer], lost: str) -> None:
    services.sums_carry()
    (PostingSum if lost == "the sums" else PostingMark).objects.all().delete()
    assert len(breaches()) == 4
    assert services.sums_recount() == 1
    assert (shown(), breaches()) == (PAST, [])


def test_a_change_of_a_posting_that_is_summed_is_found(past: list[Transfer]) -> None:
    services.sums_carry()
    changed = Posting.objects.filter(transfer=past[0])
    changed._raw_delete(changed.db)
    assert len(breaches()) == 2


def test_there_is_one_mark_and_one_sum_of_each_currency_and_side(past: list[Transfer]) -> None:
    services.sums_carry()
    for wrong in (
        PostingMark(pk=2),
        PostingSum(currency="USD", side="debit", amount=1),
        PostingSum(currency="USD", side="owed", amount=1),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            wrong.save(force_insert=True)
