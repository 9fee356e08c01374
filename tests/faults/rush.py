"""A crowd of separate users who buy from several servers at once."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import httpx
import time_machine
from django.conf import settings
from django.db.models import Sum
from django.db.models.functions import Now

from accounts.sessions import tokens
from accounts.sessions.models import RefreshFamily
from accounts.sessions.rules import jti_hash
from accounts.users.models import User
from shop.flash_sales.models import FlashPurchase, FlashRun, FlashUnit
from shop.flash_sales.rules import UnitState

AT_ONCE: Final = 40
A_WHILE: Final = timedelta(minutes=3)


def signed_in(count: int) -> list[str]:
    """Access tokens of `count` new users; by a few statements, since there are thousands.

    They signed in a while ago: a host whose clock is behind refuses a token from its future.
    """
    mark = uuid4().hex[:16]
    User.objects.bulk_create(
        User(email=f"{mark}{n}@example.org", username=f"{mark}{n}") for n in range(count)
    )
    families, found = [], []
    for user in User.objects.filter(username__startswith=mark).order_by("pk"):
        family = uuid4()
        with time_machine.travel(datetime.now(UTC) - A_WHILE):
            pair, jti = tokens.issue(family)
        expires_at = Now() + settings.REFRESH_TOKEN_LIFETIME
        families.append(
            RefreshFamily(uid=family, user=user, current_jti=jti_hash(jti), expires_at=expires_at)
        )
        found.append(pair.access)
    RefreshFamily.objects.bulk_create(families)
    return found


@dataclass
class Crowd:
    """What each call was answered with: 201 "bought", or the refusal's status and code."""

    urls: Sequence[str]
    slug: str
    answers: Counter[tuple[int, str]] = field(default_factory=Counter)
    bought: dict[str, list[int]] = field(default_factory=dict)
    lost: list[tuple[str, int]] = field(default_factory=list)
    # How those were lost, and how old their crowd's connections were at most.
    why: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.connect()
        self._lock = threading.Lock()

    def connect(self) -> None:
        """Anew: connections to a server that was killed fail when they are used."""
        # None is ever one too many or too old: httpcore closes such a connection although it has
        # just given it to another thread (encode/httpcore#1110).
        limits = httpx.Limits(max_keepalive_connections=None, keepalive_expiry=None)
        self.connected = time.monotonic()
        self.client = httpx.Client(timeout=60, trust_env=False, limits=limits)

    def rush(
        self, calls: Sequence[tuple[str, int]], *, seen: Callable[[int], Any] = lambda _: None
    ) -> None:
        """Each (token, quantity) is one call; `seen` hears how many have bought after each."""

        def one(number: int) -> None:
            token, quantity = calls[number]
            self._note((token, quantity), self._ask(number, token, quantity))
            seen(len(self.bought))

        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(one, range(len(calls))))

    def _ask(self, number: int, token: str, quantity: int) -> httpx.Response | None:
        url = self.urls[number % len(self.urls)]
        try:
            return self.client.post(
                f"{url}/api/v1/flash-sales/{self.slug}/purchases/",
                json={"quantity": quantity, "payment": {"method": "stripe"}},
                headers={"Authorization": f"Bearer {token}"},
            )
        except httpx.TransportError as error:
            self.why.append(f"{error!r} after {time.monotonic() - self.connected:.1f} s")
            return None

    def _note(self, call: tuple[str, int], answer: httpx.Response | None) -> None:
        with self._lock:
            if answer is None:
                self.lost.append(call)
                return
            body: Any = answer.json()
            self.answers[answer.status_code, body.get("code", "bought")] += 1
            if answer.status_code == 201:
                self.bought[body["order"]["number"]] = body["units"]


def taken(run: FlashRun) -> int:
    return FlashUnit.objects.filter(run=run).exclude(state=UnitState.FREE).count()


def ordered(run: FlashRun) -> int:
    found = FlashPurchase.objects.filter(run=run).aggregate(n=Sum("quantity"))["n"]
    return int(found or 0)


def kept(crowd: Crowd) -> bool:
    """Whether the database has every purchase that was acknowledged, with the units it named."""
    units = FlashUnit.objects.filter(purchase__order__number__in=crowd.bought)
    found: dict[str, list[int]] = {}
    for number, unit in units.order_by("number").values_list("purchase__order__number", "number"):
        found.setdefault(number, []).append(unit)
    return found == crowd.bought
