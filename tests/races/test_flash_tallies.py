"""Tallies are merged while buyers write more of them, with the control that deletes too much."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from common.together import Together
from config import invariants
from payments.checkout import services as checkout
from payments.checkout.services import flash
from shop.flash_sales import locks, selectors
from shop.flash_sales.models import FlashRun, FlashTally
from shop.flash_sales.services import tally as tallies
from tests.factories.flash import live_run
from tests.factories.users import UserFactory
from tests.races.parallel import in_parallel
from tests.sizes import sized

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("no_stripe", "apart"),
]

BUYERS = sized(30, 200)


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each buyer has a transaction of his own, and a row."""
    monkeypatch.setattr(flash, "_groups", lambda slug: Together(flash._carry_out))


def buy(run: FlashRun) -> Callable[[], object]:
    user_id = UserFactory().pk
    return lambda: checkout.flash_purchase(
        user_id=user_id, slug=run.sale.slug, quantity=1, method="stripe"
    )


def until(ended: threading.Event, work: Callable[[], Any]) -> Callable[[], list[Any]]:
    def again() -> list[Any]:
        found = [work()]
        while not ended.is_set():
            found.append(work())
        return found

    return again


def held(run: FlashRun) -> int:
    return selectors.unit_counts([run.pk])[run.pk].held


@pytest.mark.proof(
    "Flash run: units by state are a sum that merging and buying leave exact, at each moment",
    size=f"{BUYERS} buyers, two merge and one reads meanwhile",
    control="test_control_a_merge_that_deletes_what_it_has_not_read_loses_units",
)
def test_a_sum_that_is_merged_while_buyers_add_to_it_never_sinks() -> None:
    run, ended = live_run(units=BUYERS), threading.Event()

    def rush() -> None:
        """Ten at a time without a pause between them."""
        calls = [buy(run) for _ in range(BUYERS)]
        try:
            in_parallel([lambda part=calls[n::10]: [call() for call in part] for n in range(10)])
        finally:
            ended.set()

    merge = until(ended, lambda: tallies.tally_merge(run.pk))
    _, seen, *merged = in_parallel([rush, until(ended, lambda: held(run)), merge, merge])
    assert all(isinstance(each, list) for each in merged), merged
    assert seen == sorted(seen)
    assert held(run) == BUYERS
    assert invariants.breaches() == []


def test_control_two_that_merge_without_a_lock_count_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, both = live_run(units=4), threading.Barrier(2)
    in_parallel([buy(run), buy(run)])

    def unlocked(run_id: int) -> list[FlashTally]:
        found = list(FlashTally.objects.filter(run_id=run_id))
        both.wait(60)
        return found

    monkeypatch.setattr(locks, "tallies", unlocked)
    in_parallel([lambda: tallies.tally_merge(run.pk)] * 2)
    assert (held(run), selectors.tally_gaps()) == (4, {run.pk: selectors.Gap(-2, 0, 0)})


def test_control_a_merge_that_deletes_what_it_has_not_read_loses_units() -> None:
    run = live_run(units=3)
    buy(run)()
    late = buy(run)

    @transaction.atomic
    def greedy() -> None:
        sums = sum(row.held for row in FlashTally.objects.filter(run=run))
        in_parallel([late])
        FlashTally.objects.filter(run=run).delete()
        FlashTally.objects.create(run_id=run.pk, held=sums)

    greedy()
    assert (held(run), selectors.tally_gaps()) == (1, {run.pk: selectors.Gap(1, 0, 0)})
