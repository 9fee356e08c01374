"""Ask the venue, outside any transaction, and write its answer down.

The attempt is written before the venue is asked. Whoever finds one that may have been sent asks by
its client_order_id what became of it, and sends it again, under the same id, only where the venue
knows nothing of it.
"""

from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db.models import F, Q
from django.db.models.functions import Now

from common.audit.services import record as audit
from common.db import transactional
from common.money import from_minor
from payments.exchange import gateway, locks, rules, selectors
from payments.exchange.errors import StillWorking, Unreachable
from payments.exchange.gateway import Answer
from payments.exchange.models import ExchangeAttempt, ExchangeBatch, ExchangeCurrency
from payments.exchange.rules import AttemptState, BatchState, Policy, Reason
from payments.exchange.services import decide, pool
from payments.exchange.services.decide import Outcome
from payments.market.rules.prices import to_units

# Longer than two calls of the venue take. Were they longer, two workers would ask under one id,
# which the venue takes once.
LEASE: Final = timedelta(seconds=30)


def batch_settle(*, batch_id: int) -> None:
    """Do all that is left to do for a sealed batch; nothing for one that has ended.

    Raises Unreachable, StillWorking: the outbox tries again.
    """
    while (attempt := _attempt_take(batch_id)) is not None:
        answer_record(attempt_id=attempt.pk, answer=_asked(attempt))
    decide.members_settle(batch_id=batch_id)


def batch_ask(*, batch_id: int) -> bool:
    """Ask what became of an attempt without ever sending it; False where the venue knows none.

    Raises Unreachable, StillWorking.
    """
    attempt = selectors.open_attempt(batch_id)
    answer = gateway.order_find(attempt.client_order_id) if attempt else None
    if attempt is None or answer is None:
        return False
    if answer.is_final:
        answer_record(attempt_id=attempt.pk, answer=answer)
    decide.members_settle(batch_id=batch_id)
    return True


def _attempt_take(batch_id: int) -> ExchangeAttempt | None:
    """The attempt that is to be asked about now, by this caller alone."""
    pk = _attempt_ensure(batch_id)
    if pk is None:
        return None
    free = Q(leased_until=None) | Q(leased_until__lte=Now())
    mine = ExchangeAttempt.objects.filter(free, pk=pk, state=AttemptState.ASKED)
    if not mine.update(leased_until=Now() + LEASE, asks=F("asks") + 1):
        raise StillWorking("another worker is asking")
    return selectors.attempt(pk)


@transactional
def _attempt_ensure(batch_id: int) -> int | None:
    """The batch's open attempt, or its next one; None where there is nothing to ask."""
    batch = locks.batch(batch_id)
    if batch.state != BatchState.SEALED:
        return None
    if found := selectors.open_attempt(batch_id):
        return found.pk
    number = selectors.attempts(batch_id).count() + 1
    return ExchangeAttempt.objects.create(
        batch=batch,
        number=number,
        client_order_id=f"{batch.uid}-{number}",
        units=batch.asked,
        open_for=batch.pk,
    ).pk


def _asked(attempt: ExchangeAttempt) -> Answer:
    """The venue's last word on an attempt."""
    try:
        answer = _ask(attempt)
        if not answer.is_final:
            raise StillWorking("the venue has not filled it yet")
    except (Unreachable, StillWorking) as error:
        # Free at once for the next try, which asks first.
        ExchangeAttempt.objects.filter(pk=attempt.pk).update(
            leased_until=None, error=str(error)[:200]
        )
        raise
    return answer


def _ask(attempt: ExchangeAttempt) -> Answer:
    if attempt.asks > 1 and (known := gateway.order_find(attempt.client_order_id)):
        return known
    symbol = attempt.batch.currency.symbol
    return gateway.buy_from_exchange(
        symbol, from_minor(attempt.units, symbol), attempt.client_order_id
    )


@transactional
def answer_record(*, attempt_id: int, answer: Answer) -> bool:
    """Write a final answer down and decide the batch by it; False where that was done before."""
    batch = locks.batch(selectors.attempt(attempt_id).batch_id)
    attempt = selectors.attempt(attempt_id)
    if attempt.state != AttemptState.ASKED:
        return False
    filled = rules.to_units(answer.filled, batch.currency.decimals)
    _close(attempt, answer, filled)
    if filled:
        decide.batch_decide(batch, Outcome(filled, to_units(answer.cost)))
    else:
        _refused(batch, answer)
    return True


def _close(attempt: ExchangeAttempt, answer: Answer, filled: int) -> None:
    attempt.state = AttemptState.FILLED if filled else AttemptState.REFUSED
    attempt.filled, attempt.answer, attempt.error = filled, answer.body, answer.reason[:200]
    attempt.open_for, attempt.leased_until, attempt.answered_at = None, None, Now()
    attempt.save()


def _refused(batch: ExchangeBatch, answer: Answer) -> None:
    if answer.minimum is None:
        decide.batch_decide(batch, Outcome(reason=Reason.REFUSED))
        return
    _raise_minimum(batch.currency, answer.minimum)
    if not _topped_up(batch, answer.minimum):
        decide.batch_decide(batch, Outcome(reason=Reason.BELOW_MINIMUM))


def _raise_minimum(currency: ExchangeCurrency, minimum: int) -> None:
    """The venue asks for more than it did: from now on batches are sealed at that."""
    if minimum <= currency.minimum:
        return
    audit(
        actor_id=None,
        action="exchange.minimum",
        target=f"exchange_currency:{currency.symbol}",
        data={"minimum": [currency.minimum, minimum]},
    )
    currency.minimum = minimum
    currency.save(update_fields=["minimum"])


def _topped_up(batch: ExchangeBatch, minimum: int) -> bool:
    """Whether the house adds what is missing, and the next attempt may ask for it."""
    policy = Policy(settings.EXCHANGE_SHORT_POLICY)
    if policy is Policy.GIVE_BACK or selectors.attempts(batch.pk).count() >= rules.MOST_ATTEMPTS:
        return False
    wanted = rules.worth_of_cents(minimum, batch.currency.decimals)
    more = rules.lacking(batch.units, batch.worth, wanted)
    if more <= batch.house_units:
        return False
    batch.house_units = more
    batch.save(update_fields=["house_units"])
    # The next attempt is made by whoever comes: this worker as a rule.
    pool.settle_later(batch)
    return True
