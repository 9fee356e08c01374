"""Rules against fraud in flash sales: who buys too often is refused, or the money looked at.

Only purchases that were made are counted: somebody who asks again and again in a rush is a normal
buyer. What is counted first and comes to nothing is taken back.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import Q

from common import clock
from common.addresses import bucket
from common.audit.services import record
from common.db import transactional
from common.errors import Conflict
from common.idempotency.services import bind
from payments.risk import rules, selectors, store
from payments.risk.errors import (
    NewAccountLimit,
    NotANetwork,
    TooManyFromAddress,
    TooManyPurchases,
)
from payments.risk.models import CardUse, RiskAllowance, RiskHit
from payments.risk.rules import Action, Limit, Rule

logger = logging.getLogger(__name__)
REFUSALS: Final[dict[Rule, type[Conflict]]] = {
    Rule.USER: TooManyPurchases,
    Rule.ADDRESS: TooManyFromAddress,
    Rule.NEW_ACCOUNT: NewAccountLimit,
}


@contextmanager
def purchase_screened(*, user_id: int, address: str, at_once: bool) -> Iterator[None]:
    """Around one flash purchase of a user from an address; `at_once`: paid before it is answered.

    Raises TooManyPurchases, TooManyFromAddress, NewAccountLimit.
    """
    limits = {
        (rule, subject): limit
        for rule, subject in ((Rule.USER, str(user_id)), (Rule.ADDRESS, bucket(address)))
        if (limit := selectors.limit_of(rule)).limit
    }
    try:
        _screen(user_id, address, at_once, limits)
        yield
    except BaseException:
        for rule, subject in limits:
            store.take_back(rule, subject)
        raise


def _screen(
    user_id: int, address: str, at_once: bool, limits: dict[tuple[Rule, str], Limit]
) -> None:
    counters = [(*what, limit.window.total_seconds()) for what, limit in limits.items()]
    for (what, limit), used in zip(limits.items(), store.count(counters), strict=True):
        rule, subject = what
        if limit.is_over(used) and not selectors.is_allowed(user_id, address):
            _refuse(rule, limit, subject, user_id)
        if rule is Rule.USER:
            _screen_new(used, user_id, address, at_once)


def _screen_new(used: int, user_id: int, address: str, at_once: bool) -> None:
    limit, subject = selectors.limit_of(Rule.NEW_ACCOUNT), str(user_id)
    if not limit.is_over(used) or not selectors.is_new_account(user_id, limit):
        return
    if selectors.is_allowed(user_id, address):
        return
    # What is paid within the purchase cannot be held back after it.
    if at_once:
        _refuse(Rule.NEW_ACCOUNT, limit, subject, user_id)
    if not selectors.is_held(user_id):
        _hit(Rule.NEW_ACCOUNT, Action.REVIEW, limit, user_id)


def _refuse(rule: Rule, limit: Limit, subject: str, user_id: int) -> None:
    if store.is_first(rule, subject, limit.window.total_seconds()):
        _hit(rule, Action.REFUSE, limit, user_id)
    raise REFUSALS[rule]


@transactional
def _hit(rule: Rule, action: Action, limit: Limit, user_id: int) -> None:
    """Written down for staff; neither here nor in the log is an address or a card."""
    held_until = clock.now() + limit.window if action is Action.REVIEW else None
    RiskHit.objects.create(user_id=user_id, rule=rule, action=action, held_until=held_until)
    seconds = int(limit.window.total_seconds())
    data = {"rule": rule, "limit": limit.limit, "seconds": seconds}
    record(actor_id=user_id, action=f"risk.{action}", target="flash_sales", data=data)
    logger.warning("risk.hit", extra={"code": rule, "outcome": action})


def money_is_held(*, user_id: int, card: str = "") -> bool:
    """Whether money for a flash purchase is to be looked at before it counts.

    `card` is the print of the card that paid. Runs in the caller's transaction.
    """
    used_by_many = bool(card) and _card_used(user_id, card)
    suspicious = used_by_many or selectors.is_held(user_id)
    return suspicious and not selectors.is_allowed(user_id)


def _card_used(user_id: int, card: str) -> bool:
    """Note a card's use; whether it pays for too many users."""
    limit = selectors.limit_of(Rule.CARD)
    if not limit.limit:
        return False
    kept, now = store.digest(card), clock.now()
    CardUse.objects.update_or_create(card=kept, user_id=user_id, defaults={"used_at": now})
    if not limit.is_over(selectors.users_of_card(kept, limit.window)):
        return False
    if not selectors.is_allowed(user_id):
        _hit(Rule.CARD, Action.REVIEW, limit, user_id)
    return True


@transactional
def allowance_create(
    *, user_id: int | None, network: str | None, reason: str, actor_id: int
) -> RiskAllowance:
    """Let a user through, or whoever comes from a network; again, it is the same one.

    What is in review already stays there until staff end it. Raises NotANetwork.
    """
    try:
        kept = None if network is None else rules.network(network)
    except ValueError as wrong:
        raise NotANetwork from wrong
    try:
        with transaction.atomic():
            made = RiskAllowance.objects.create(user_id=user_id, network=kept, reason=reason)
    except IntegrityError:
        same = Q(network=kept) if user_id is None else Q(user_id=user_id)
        made = RiskAllowance.objects.get(same)
    bind(f"risk_allowance:{made.pk}", status=201)
    _tell(made, "allow", actor_id)
    return made


@transactional
def allowance_delete(*, allowance_id: int, actor_id: int) -> None:
    found = RiskAllowance.objects.get(pk=allowance_id)
    _tell(found, "disallow", actor_id)
    found.delete()


def _tell(allowance: RiskAllowance, verb: str, actor_id: int) -> None:
    kind = "network" if allowance.network else "user"
    data = {"kind": kind, "reason": allowance.reason}
    record(actor_id=actor_id, action=f"risk.{verb}", target=f"allowance:{allowance.uid}", data=data)
