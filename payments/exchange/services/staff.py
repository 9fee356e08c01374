"""What staff do about a batch: hurry it, ask about it, give it back."""

from common.audit.services import record as audit
from common.db import transactional
from common.errors import InvalidTransition
from common.idempotency.services import bind
from payments.exchange import locks, selectors
from payments.exchange.errors import OutcomeUnknown, StillWorking, Unreachable, VenueUnreachable
from payments.exchange.models import ExchangeBatch
from payments.exchange.rules import BatchState, Reason
from payments.exchange.services import decide, pool
from payments.exchange.services.decide import Outcome
from payments.exchange.services.send import batch_ask
from payments.exchange.services.waiting import open_batch_give_back


def _tell(batch: ExchangeBatch, action: str, actor_id: int) -> None:
    audit(actor_id=actor_id, action=f"exchange.{action}", target=f"exchange_batch:{batch.uid}")


@transactional
def batch_retry(*, batch_id: int, actor_id: int) -> None:
    """Have a worker see to it now, whatever pause it is in. Raises InvalidTransition."""
    batch = locks.batch(batch_id)
    bind(str(batch.uid), status=202)
    if batch.state not in (BatchState.SEALED, BatchState.DECIDED):
        raise InvalidTransition("batch", batch.state, BatchState.SETTLED)
    _tell(batch, "retry", actor_id)
    pool.settle_later(batch)


@transactional
def batch_give_back(*, batch_id: int, actor_id: int) -> None:
    """Give all members their money back; only where the venue has certainly bought nothing.

    Raises OutcomeUnknown, InvalidTransition.
    """
    found = selectors.batch(batch_id)
    bind(str(found.uid), status=200)
    locks.pool(found.currency_id)
    batch = locks.batch(batch_id)
    if batch.state == BatchState.OPEN and batch.members:
        open_batch_give_back(batch, Reason.BY_STAFF)
    elif batch.state == BatchState.SEALED:
        _sealed_give_back(batch)
    else:
        raise InvalidTransition("batch", batch.state, BatchState.FAILED)
    _tell(batch, "give_back", actor_id)


def _sealed_give_back(batch: ExchangeBatch) -> None:
    if selectors.open_attempt(batch.pk) is not None:
        raise OutcomeUnknown
    decide.batch_decide(batch, Outcome(reason=Reason.BY_STAFF))
    pool.settle_later(batch)


def batch_reconcile(*, batch_id: int, actor_id: int) -> None:
    """Ask the venue what it knows of the batch, never sending anything.

    Raises VenueUnreachable, InvalidTransition.
    """
    if selectors.batch(batch_id).state == BatchState.OPEN:
        raise InvalidTransition("batch", BatchState.OPEN, BatchState.DECIDED)
    try:
        batch_ask(batch_id=batch_id)
    except (Unreachable, StillWorking) as error:
        raise VenueUnreachable(retry_after=10) from error
    _note_reconciled(batch_id, actor_id)


@transactional
def _note_reconciled(batch_id: int, actor_id: int) -> None:
    batch = selectors.batch(batch_id)
    bind(str(batch.uid), status=200)
    _tell(batch, "reconcile", actor_id)
