"""Slow down whoever guesses, and never lock the owner out.

Three counters for each kind of attempt, in fixed windows that end by themselves:

    address            one caller who tries many accounts
    account, address   one caller who tries one account: a few attempts, then the window's end
    account            many callers who try one account. Beyond its limit nobody is shut out: an
                       address that has signed in to this account before goes on as ever, any
                       other one is told to wait (2 s to a minute) and is then let in once

So neither one host nor a thousand can keep the owner away, who comes from a known address or waits
a minute. An account is what the caller typed, whether or not it exists, so that the answers say
nothing about that. Attempts are counted before they are made and given back where they succeed: a
thousand in parallel are a thousand.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from django.conf import settings

from accounts.throttling import store
from accounts.throttling.rules import Policy, allowance, digest, wait
from accounts.throttling.store import TICKET_TTL, Counters
from common.addresses import bucket
from common.errors import SoukError, TooManyRequests

SIGN_IN: Final = "sign_in"
# What `attempt` counts, and what `count` does.
FAILED: Final = "failed attempts"
ALL: Final = "attempts"


@dataclass(slots=True)
class _Attempt:
    """Keys, limits and what has been counted so far."""

    scope: str
    account: str
    address: str
    counters: Counters = field(default_factory=Counters)
    counted: list[str] = field(default_factory=list)

    @property
    def policy(self) -> Policy:
        return Policy(**settings.ACCOUNT_THROTTLES[self.scope])

    def key(self, *parts: str) -> str:
        number = int(time.time() // self.policy.window)
        return ":".join(("thr", self.scope, str(number), *parts))

    @property
    def pair_key(self) -> str:
        return self.key("pair", self.account, self.address)

    def over(self, key: str, limit: int | None) -> int:
        """Count one; by how many that is too many, 0 where it is not."""
        if limit is None:
            return 0
        count = self.counters.up(key, self.policy.window)
        self.counted.append(key)
        factor = settings.THROTTLE_FACTOR
        return max(0, count - allowance(limit, factor=factor, alone=self.counters.alone))

    def give_back(self, *, but: int = 0) -> None:
        """Uncount, the first `but` counters excepted."""
        for key in self.counted[but:]:
            self.counters.down(key)
        del self.counted[but:]


def count(scope: str, *, address: str, account: str = "") -> None:
    """One attempt, whatever comes of it. Raises TooManyRequests."""
    _admit(_attempt(scope, account, address))


@contextmanager
def attempt(scope: str, *, address: str, account: str = "") -> Iterator[None]:
    """An attempt that counts only where it fails with a refusal. Raises TooManyRequests.

    A success makes the address a known one for the account.
    """
    tried = _attempt(scope, account, address)
    _admit(tried)
    try:
        yield
    except SoukError as error:
        if error.status >= 500:
            tried.give_back()
        raise
    except Exception:
        tried.give_back()
        raise
    tried.give_back()
    if account:
        store.know(tried.account, tried.address)


def limits(scope: str, *, counts: str) -> dict[str, Any]:
    """The limits as the API's document tells them; `counts`: which attempts do."""
    policy = Policy(**settings.ACCOUNT_THROTTLES[scope])
    numbers = {"address": policy.address, "pair": policy.pair, "account": policy.account}
    allowed = {
        kind: allowance(number, factor=settings.THROTTLE_FACTOR, alone=False)
        for kind, number in numbers.items()
        if number is not None
    }
    return {"scope": scope, "counts": counts, "window_seconds": policy.window, **allowed}


def trust(*, account: str, address: str) -> None:
    """The owner has proven themselves some other way: let them sign in from here."""
    tried = _attempt(SIGN_IN, account, address)
    store.know(tried.account, tried.address)
    store.forget(tried.pair_key)


def _attempt(scope: str, account: str, address: str) -> _Attempt:
    return _Attempt(scope, digest(account), digest(bucket(address)))


def _admit(tried: _Attempt) -> None:
    policy = tried.policy
    if tried.over(tried.key("address", tried.address), policy.address):
        raise _refusal(_rest(policy))
    if tried.over(tried.pair_key, policy.pair):
        raise _refusal(_rest(policy))
    over = tried.over(tried.key("account", tried.account), policy.account)
    if over and not store.is_known(tried.account, tried.address):
        _wait_in_line(tried, over)


def _wait_in_line(tried: _Attempt, over: int) -> None:
    """Let an address in that has waited since it was told to; tell any other one to wait.

    Each address has its own turn: with one turn for all, whoever asks most often would get it.
    """
    ticket = f"thr:{tried.scope}:turn:{tried.account}:{tried.address}"
    turn, now = tried.counters.get(ticket), time.time()
    if turn is not None and turn <= now and tried.counters.take(ticket, turn):
        return
    if turn is None or turn <= now:
        turn = now + wait(over)
        tried.counters.put(ticket, turn, TICKET_TTL)
    # Asking too early is no guess at the password: only the address's own counter keeps it.
    tried.give_back(but=1)
    raise _refusal(turn - now)


def _rest(policy: Policy) -> float:
    return policy.window - time.time() % policy.window


def _refusal(seconds: float) -> TooManyRequests:
    return TooManyRequests(retry_after=max(1, math.ceil(seconds)))
