"""Sums that are carried on while transfers commit, workers meet and staff look."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, connections, transaction
from django.db.models import F, QuerySet

from accounts.ledger import selectors, services
from accounts.ledger.models import Posting, PostingMark, PostingSum, Transfer
from accounts.ledger.rules import Kind, house, move
from common import moments
from common.fields import added, addends
from config import invariants
from tests.races.parallel import in_parallel

pytestmark = pytest.mark.django_db(transaction=True)

SALES, CLEARING = house(Kind.SALES, "USD"), house(Kind.STRIPE_CLEARING, "USD")
WORKERS, COUNT = 10, 40


def moved(amount: int, name: str) -> Transfer:
    entries = move(amount, debit=CLEARING, credit=SALES)
    # A deleted row of the same key that is not purged yet has MySQL lock the gap beside it.
    return services.transfer_post(reference=f"{name}:{uuid4()}", kind="sale", entries=entries)


def time_passes() -> None:
    """Whatever is there is older than any transaction may be."""
    QuerySet(Transfer).update(created_at=F("created_at") - 2 * moments.SLACK)


def shown() -> int:
    [row] = selectors.trial_balance()
    assert row["difference"] == 0
    return int(row["debit"])


def breaches() -> list[str]:
    return [line for line in invariants.breaches() if line.startswith("10 ")]


@contextmanager
def left_open(amount: int) -> Iterator[None]:
    """Another connection's transfer, whose transaction commits at the end of the block."""
    there, commit = Event(), Event()

    def post() -> None:
        try:
            with transaction.atomic():
                moved(amount, "slow")
                there.set()
                commit.wait(60)
        finally:
            connections.close_all()

    other = Thread(target=post)
    other.start()
    try:
        assert there.wait(60)
        yield
    finally:
        commit.set()
        other.join(60)


def carried_beside_an_open_transaction() -> tuple[int, list[str]]:
    """The balance once a smaller key has been committed after a larger one, and the sums moved."""
    moved(1, "before")
    time_passes()
    with left_open(20):
        last = moved(300, "quick")
        services.sums_carry()
        assert shown() == 301
    assert Transfer.objects.get(reference__startswith="slow:").pk < last.pk
    found = shown(), breaches()
    time_passes()
    services.sums_carry()
    return found


@pytest.mark.proof(
    "A trial balance that is carried on",
    size="a transfer committed after a later one; 10 workers at once; readers beside them",
    control="test_control_without_the_slack_a_late_commit_is_lost",
)
def test_a_transfer_that_commits_after_a_later_one_counts() -> None:
    assert carried_beside_an_open_transaction() == (321, [])
    assert PostingMark.objects.get().until == Transfer.objects.latest("pk").pk
    assert (shown(), breaches()) == (321, [])


def test_control_without_the_slack_a_late_commit_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """And it does not stay hidden."""
    monkeypatch.setattr(moments, "SLACK", timedelta(0))
    balance, found = carried_beside_an_open_transaction()
    assert balance == 301
    assert len(found) == len(breaches()) == 2
    assert services.sums_recount() == 1
    assert (shown(), breaches()) == (321, [])


def a_past() -> int:
    for number in range(COUNT):
        moved(number + 1, f"past:{number}")
    time_passes()
    return COUNT * (COUNT + 1) // 2


def at_once(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Several workers, who all sum before one of them writes."""
    between = selectors.sums_between

    def slowly(after: int, until: int) -> Any:
        found = between(after, until)
        time.sleep(0.2)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(selectors, "sums_between", slowly)
        return in_parallel([services.sums_carry] * WORKERS)


def test_of_many_workers_one_adds_each_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    total = a_past()
    assert sum(at_once(monkeypatch)) == 1
    assert PostingSum.objects.get(side="debit").amount == total
    assert (shown(), breaches()) == (total, [])


def test_control_a_mark_that_anybody_moves_counts_a_batch_several_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def anyway(since: int, until: int) -> bool:
        return bool(PostingMark.objects.update(until=until) + 1)

    monkeypatch.setattr(services, "_move_mark", anyway)
    total = a_past()
    at_once(monkeypatch)
    assert shown() > total
    assert len(breaches()) == 2


def test_whoever_looks_while_the_mark_moves_sees_every_posting_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(services, "BATCH", 1)
    total = a_past()
    found = in_parallel([services.sums_carry, *[lambda: {shown() for _ in range(60)}] * 3])
    assert found == [COUNT, {total}, {total}, {total}]
    assert PostingSum.objects.get(side="credit").amount == total


@pytest.mark.parametrize("first", ["the sums", "the postings"])
def test_control_two_statements_count_a_batch_twice_or_not_at_all(first: str) -> None:
    assert connection.vendor == "mysql", "run me through: python .ci/servers.py run -- pytest"
    total = a_past()
    parts = [lambda: list(PostingSum.objects.values_list("side", "amount")), _after_the_mark]
    rows = parts.pop(0 if first == "the sums" else 1)()
    services.sums_carry()
    rows += parts.pop()()
    assert added(rows).get("debit", 0) == (0 if first == "the sums" else 2 * total)


def _after_the_mark() -> list[Any]:
    mark = PostingMark.objects.values_list("until", flat=True).first() or 0
    return list(addends(Posting.objects.filter(transfer_id__gt=mark), "side"))
