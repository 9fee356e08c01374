"""Sum up what customers have bought, so that a long history is read as quickly as a short one.

Nothing is written while somebody buys. What is summed ends five minutes ago; a reader adds what was
bought since. Whoever changes a paid order or its payments makes the sums void
(`shop.orders.services.past_void`); they are counted as a whole and written over.
"""

from datetime import timedelta
from typing import Final

from common import clock, moments
from common.db import transactional
from payments.intake import selectors as intake_reads
from shop.orders import locks as order_locks
from shop.orders import selectors as order_reads
from shop.orders import services as orders

# Lines that a reader may have to add up.
LEAST: Final = 100
# Who was not counted for so long, because no worker ran, is counted when he buys again.
LOOK_BACK: Final = timedelta(hours=1)


def histories_count() -> int:
    """Sum up for those who have bought much lately, or whose sums are void; returns how many."""
    return _count(order_reads.users_to_count(least=LEAST, since=clock.now() - LOOK_BACK))


def histories_recount() -> int:
    """All of them anew; returns how many."""
    return _count(
        sorted({*order_reads.users_counted(), *order_reads.users_to_count(least=LEAST, since=None)})
    )


def _count(user_ids: list[int]) -> int:
    for user_id in user_ids:
        history_count(user_id=user_id)
    return len(user_ids)


@transactional
def history_count(*, user_id: int) -> None:
    """Sum up one customer's past, whatever was summed before."""
    past = order_locks.past(user_id)
    # A purchase has its moment before it is committed.
    until = clock.now() - moments.SLACK
    orders.past_write(past, until=until, methods=intake_reads.paid_by_method(user_id, until=until))
