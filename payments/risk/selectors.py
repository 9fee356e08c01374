"""Reads of the rules against fraud."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.db.models.functions import Now

from common import clock
from payments.risk import rules
from payments.risk.errors import NoSuchAllowance, UnknownUser
from payments.risk.models import CardUse, RiskAllowance, RiskHit
from payments.risk.rules import Limit, Rule


def limit_of(rule: Rule) -> Limit:
    """Of settings.FLASH_RISK, times RATE_LIMIT_FACTOR."""
    found: dict[str, int] = settings.FLASH_RISK[rule]
    return Limit(
        int(found["limit"] * settings.RATE_LIMIT_FACTOR),
        timedelta(seconds=found["window"]),
        timedelta(seconds=found.get("younger", 0)),
    )


def is_allowed(user_id: int, address: str = "") -> bool:
    """Whether staff let this user or this address through."""
    if RiskAllowance.objects.filter(user_id=user_id).exists():
        return True
    known = RiskAllowance.objects.filter(network__isnull=False)
    networks = [text for text in known.values_list("network", flat=True) if text]
    return bool(address) and rules.in_networks(address, networks)


def is_new_account(user_id: int, limit: Limit) -> bool:
    joined = get_user_model().objects.values_list("joined_at", flat=True).get(pk=user_id)
    return rules.is_new(clock.now() - joined, limit)


def is_held(user_id: int) -> bool:
    """Whether money for the user's flash purchases is to be looked at."""
    return RiskHit.objects.filter(user_id=user_id, held_until__gt=Now()).exists()


def users_of_card(card: str, window: timedelta) -> int:
    return CardUse.objects.filter(card=card, used_at__gt=Now() - window).count()


def allowances() -> QuerySet[RiskAllowance]:
    return RiskAllowance.objects.select_related("user")


def allowance_get(uid: object) -> RiskAllowance:
    """Raises NoSuchAllowance."""
    found = allowances().filter(uid=str(uid)).first()
    if found is None:
        raise NoSuchAllowance
    return found


def user_id_of(uid: object) -> int:
    """Raises UnknownUser."""
    found: Any = get_user_model().objects.filter(uid=str(uid)).values_list("pk", flat=True)
    key = found.first()
    if key is None:
        raise UnknownUser
    return int(key)
