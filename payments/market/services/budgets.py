"""Whether a provider may be asked, and what its answer means for the next one who wants to.

Redis counts the calls of a minute, so that a rush is refused without a query. The database decides:
each window of each provider is a row, raised only while it stays below its cap, so that neither
many processes nor a lost Redis can spend more than there is.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from django.db.models import F, Q, QuerySet

from common import clock
from common.db import transactional
from payments.market import selectors, store
from payments.market.errors import NotNow, ProviderFault, Trouble
from payments.market.models import ProviderState, ProviderUse
from payments.market.rules import budgets
from payments.market.rules.budgets import Limits, Purpose, Window

logger = logging.getLogger(__name__)
T = TypeVar("T")


def provider_call(*, provider: str, purpose: Purpose, credits: int, call: Callable[[], T]) -> T:
    """`call` within the provider's budget; what becomes of it is remembered.

    Raises NotNow where nobody is asked, ProviderFault. Never to be called in a transaction.
    """
    now = clock.now()
    _gate(provider, purpose, now)
    _spend(provider, purpose, credits, now)
    try:
        answer = call()
    except ProviderFault as fault:
        _failed(provider, fault, credits, now)
        raise
    _succeeded(provider)
    return answer


def _gate(provider: str, purpose: Purpose, now: datetime) -> None:
    limit = selectors.limits_of(provider).minute
    if not limit:
        return
    cap = budgets.caps(Limits(minute=limit), {}, purpose=purpose, now=now)[Window.MINUTE]
    if store.calls_count(provider) > cap:
        raise NotNow(Window.MINUTE, budgets.resets(Window.MINUTE, now))


@transactional
def _spend(provider: str, purpose: Purpose, credits: int, now: datetime) -> None:
    """Take the call out of every window, or out of none. Raises NotNow."""
    state = ProviderState.objects.filter(provider=provider, open_until__gt=now).first()
    if state is not None and state.open_until is not None:
        raise NotNow(state.reason, state.open_until)
    limits, used = selectors.limits_of(provider), selectors.used(provider, now)
    for window, cap in budgets.caps(limits, used, purpose=purpose, now=now).items():
        cost = 1 if window is Window.MINUTE else credits
        if not _take(provider, window, budgets.starts(window, now), cost, cap):
            raise NotNow(window, budgets.resets(window, now))


def _take(provider: str, window: Window, starts_at: datetime, cost: int, cap: int) -> bool:
    row = ProviderUse(provider=provider, window=window, starts_at=starts_at)
    ProviderUse.objects.bulk_create([row], ignore_conflicts=True)
    rows = ProviderUse.objects.filter(provider=provider, window=window, starts_at=starts_at)
    return rows.filter(used__lte=cap - cost).update(used=F("used") + cost) == 1


@transactional
def _failed(provider: str, fault: ProviderFault, credits: int, asked_at: datetime) -> None:
    now = clock.now()
    if not fault.charged:
        _give_back(provider, credits, asked_at)
    state = _state(provider)
    state.update(failures=F("failures") + 1, failed_at=now)
    failures = state.values_list("failures", flat=True).get()
    until = budgets.open_until(
        fault.trouble, failures=failures, now=now, retry_after=fault.retry_after
    )
    if until is not None:
        # Never shortened: two calls may have failed, one of them for the month.
        later = state.filter(Q(open_until=None) | Q(open_until__lt=until))
        later.update(open_until=until, reason=fault.trouble)
    level = logging.ERROR if fault.trouble is Trouble.REFUSED else logging.WARNING
    logger.log(level, "market.provider_failed", extra={"code": f"{provider}.{fault.trouble}"})


def _give_back(provider: str, credits: int, asked_at: datetime) -> None:
    for window in (Window.DAY, Window.MONTH):
        rows = ProviderUse.objects.filter(
            provider=provider, window=window, starts_at=budgets.starts(window, asked_at)
        )
        rows.filter(used__gte=credits).update(used=F("used") - credits)


@transactional
def _succeeded(provider: str) -> None:
    now = clock.now()
    state = _state(provider)
    state.update(failures=0, succeeded_at=now)
    # One that another call has just opened stays open.
    state.filter(open_until__lte=now).update(open_until=None, reason="")


def _state(provider: str) -> QuerySet[ProviderState]:
    ProviderState.objects.bulk_create([ProviderState(provider=provider)], ignore_conflicts=True)
    return ProviderState.objects.filter(provider=provider)
