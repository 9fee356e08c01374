"""Units by state, kept as a sum: a row for each transaction that changes some, in that transaction.

Many such rows are made one now and then. Whoever reads adds up what is committed, so that merging
changes nothing for him.
"""

from collections.abc import Iterable
from typing import Final

from django.db.models import Count

from common.db import transactional
from shop.flash_sales import locks, selectors
from shop.flash_sales.models import FlashTally
from shop.flash_sales.rules import TALLIED, UnitState

# A sum of so many rows takes MySQL 0.2 ms.
MOST: Final = 200
# More than two seconds of a rush write, between one sweep and the next.
LOOKED_AT: Final = 500


def tally(run_id: int, *, to: UnitState, count: int, were: Iterable[str] = ()) -> None:
    """So many units are `to` now; `were`: the states of those that were not free before."""
    deltas = dict.fromkeys(TALLIED, 0)
    for state in were:
        deltas[state] -= 1
    if to.value in deltas:
        deltas[to.value] += count
    if any(deltas.values()):
        FlashTally.objects.create(run_id=run_id, **deltas)


def tallies_merge() -> int:
    """One row in place of the many of a run, of those that changed last; how many runs."""
    newest = FlashTally.objects.order_by("-pk").values_list("run_id", flat=True)[:LOOKED_AT]
    rows = FlashTally.objects.filter(run_id__in=set(newest)).order_by().values("run_id")
    crowded = rows.annotate(n=Count("pk")).filter(n__gt=MOST)
    runs = list(crowded.values_list("run_id", flat=True))
    for run_id in runs:
        tally_merge(run_id)
    return len(runs)


@transactional
def tally_merge(run_id: int) -> None:
    rows = locks.tallies(run_id)
    if len(rows) < 2:
        return
    sums = {state: sum(getattr(row, state) for row in rows) for state in TALLIED}
    FlashTally.objects.filter(pk__in=[row.pk for row in rows]).delete()
    FlashTally.objects.create(run_id=run_id, **sums)


def tallies_mend() -> int:
    """Add what is missing from sums that are not what the units say; of how many runs.

    It takes a process of an earlier version, or a hand in the database, to make one wrong.
    """
    return sum(tally_mend(run_id) for run_id in selectors.tally_gaps())


@transactional
def tally_mend(run_id: int) -> bool:
    """Whether it was wrong."""
    # One at a time: two would each add what is missing.
    locks.run(run_id)
    gap = selectors.tally_gaps(run_id).get(run_id)
    if gap is not None:
        FlashTally.objects.create(
            run_id=run_id, held=gap.held, sold=gap.sold, returned=gap.returned
        )
    return gap is not None
