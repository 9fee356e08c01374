"""Batches that nobody completes: topped up by the house or given back, by policy."""

from datetime import timedelta

from django.conf import settings

from common import clock
from common.db import transactional
from payments.exchange import locks, rules, selectors
from payments.exchange.models import ExchangeBatch
from payments.exchange.rules import BatchState, Policy, Reason
from payments.exchange.services import decide, pool
from payments.exchange.services.decide import Outcome

SWEEP_LIMIT = 100


def pools_sweep() -> int:
    """End every open batch that has waited longer than its time; returns how many."""
    return sum(_end_overdue(batch_id=pk) for pk in selectors.overdue_batch_ids(limit=SWEEP_LIMIT))


@transactional
def _end_overdue(*, batch_id: int) -> bool:
    batch = selectors.batch(batch_id)
    locks.pool(batch.currency_id)
    # Read again under the lock: it may be sealed by now, or begun anew by somebody.
    batch = selectors.batch(batch_id)
    if batch.state != BatchState.OPEN or not batch.members or not _is_overdue(batch):
        return False
    if Policy(settings.EXCHANGE_SHORT_POLICY) is Policy.TOP_UP:
        wanted = rules.worth_of_cents(batch.currency.minimum, batch.currency.decimals)
        pool.batch_seal(batch, house_units=rules.lacking(batch.units, batch.worth, wanted))
    else:
        open_batch_give_back(batch, Reason.WAITED_TOO_LONG)
    return True


def _is_overdue(batch: ExchangeBatch) -> bool:
    longest = timedelta(seconds=settings.EXCHANGE_POOL_SECONDS)
    return clock.now() - batch.opened_at >= longest


def open_batch_give_back(batch: ExchangeBatch, reason: Reason) -> None:
    """Nothing is bought; a task gives the money back. The caller holds the pool's lock."""
    pool.batch_close(batch)
    decide.batch_decide(batch, Outcome(reason=reason))
    pool.settle_later(batch)
