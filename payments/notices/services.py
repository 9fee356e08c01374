"""Mail what became of a payment: at most one mail for each event.

The row is claimed in a transaction, the mail leaves after it, and the end is written in another.
Only a process that dies between the mail server's yes and that last commit has it sent twice.
"""

import logging

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from common import clock
from common.db import transactional
from common.outbox.errors import TryLater
from payments.notices import gateway, letters, selectors
from payments.notices.models import Notice
from payments.notices.rules import GIVE_UP_AFTER, LEASE, one_line

logger = logging.getLogger(__name__)
State = Notice.State


def notice_send(*, event_id: int) -> None:
    """Mail the buyer about an event, if it is still news and nobody has.

    Raises TryLater while the mail server takes nothing or another worker is sending.
    """
    event = selectors.event(event_id)
    letter = letters.write(event)
    if letter is None or not _claim(event_id):
        return
    if clock.now() - event.created_at > GIVE_UP_AFTER:
        logger.warning("notices.given_up", extra={"code": event.kind})
        _end(event_id, State.GIVEN_UP)
        return
    user = event.payment.user
    try:
        sent = gateway.send(letter, to=user.email, name=one_line(user.get_short_name()))
    except Exception:
        _release(event_id)
        raise
    _end(event_id, State.SENT if sent else State.REFUSED)


@transactional
def _claim(event_id: int) -> bool:
    """True for one caller at a time until the mail has ended. Raises TryLater for the others."""
    try:
        with transaction.atomic():
            Notice.objects.create(event_id=event_id, claimed_until=Now() + LEASE)
    except IntegrityError:
        return _claim_again(event_id)
    return True


def _claim_again(event_id: int) -> bool:
    waiting = Notice.objects.filter(pk=event_id, state=State.SENDING)
    if waiting.filter(claimed_until__lte=Now()).update(claimed_until=Now() + LEASE):
        return True
    if waiting.exists():
        raise TryLater("another worker is sending")
    return False


def _release(event_id: int) -> None:
    Notice.objects.filter(pk=event_id, state=State.SENDING).update(claimed_until=Now())


def _end(event_id: int, state: State) -> None:
    Notice.objects.filter(pk=event_id).update(state=state, ended_at=Now())


@transactional
def notices_skip(*, user_id: int) -> None:
    """Have nobody mailed about what has happened to this customer's payments so far."""
    Notice.objects.bulk_create(
        Notice(event_id=pk, state=State.SKIPPED, claimed_until=Now(), ended_at=Now())
        for pk in selectors.event_ids_of(user_id)
    )
