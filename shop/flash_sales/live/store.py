"""Where a sale's figures are published: in Redis for all processes, or in this one alone.

Each value has a version that was taken before it was counted, and a value is written only over an
older one: whoever counts slowly cannot bring back what was true before. Versions are microseconds
of Redis' clock, each above the last, so that they go on where Redis has lost everything.
"""

import asyncio
import json
import secrets
import threading
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import urlsplit

from django.conf import settings
from django.core.cache import cache
from django_redis import get_redis_connection  # type: ignore[import-untyped]
from redis import asyncio as redis_async
from redis.exceptions import RedisError

from common.cache.store import is_shared
from shop.flash_sales.live.rules import Figures, decode, encode, micros, moment

AWAY: Final = (RedisError, OSError)
# One publication of a sale in that time, by whichever process.
GAP_SECONDS: Final = 0.1
# For so long one process may count before another one starts as well.
COUNTING_SECONDS: Final = 1.0
# Figures that nobody confirms are counted anew: their publisher may have died before it published.
TTL_SECONDS: Final = 60.0
# How often the one process looks for news of its own.
LOOK_SECONDS: Final = 0.05

BEGIN: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local since = tonumber(ARGV[1])
if since > 0 and tonumber(redis.call('HGET', KEYS[3], 'version') or 0) > since then
    return {0, 0, 0, now}
end
local version = math.max(tonumber(redis.call('GET', KEYS[1]) or 0) + 1, now)
redis.call('SET', KEYS[1], string.format('%.0f', version), 'EX', 3600)
local won = redis.call('SET', KEYS[2], ARGV[2], 'NX', 'PX', ARGV[3])
return {version, won and 1 or 0, redis.call('PTTL', KEYS[2]), now}
"""

FINISH: Final = """
local newest = tonumber(redis.call('HGET', KEYS[1], 'version') or 0)
if tonumber(ARGV[1]) <= newest then return 0 end
local news = redis.call('HGET', KEYS[1], 'runs') ~= ARGV[2]
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'runs', ARGV[2], 'at', ARGV[3], 'ahead', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
if redis.call('GET', KEYS[2]) == ARGV[6] then redis.call('PEXPIRE', KEYS[2], ARGV[7]) end
if news then redis.call('PUBLISH', ARGV[8], ARGV[9]) end
return 1
"""

FETCH: Final = """
local time = redis.call('TIME')
local found = redis.call('HMGET', KEYS[1], 'version', 'runs', 'at', 'ahead')
return {found[1], found[2], found[3], found[4], time[1] * 1000000 + time[2]}
"""


class Begun(NamedTuple):
    """Leave to count and publish as `version`, or the seconds to wait before asking again.

    `done`: what the caller wants published was counted by somebody else, after he asked.
    """

    version: int
    won: bool
    done: bool
    wait: float
    token: str
    clock: int
    started: float


class Published(NamedTuple):
    """Figures and their version; `now` is the database's time when they were read, if known."""

    version: int
    figures: Figures
    now: datetime | None = None


class Board(Protocol):
    """Where figures are published. Its methods raise one of AWAY where it cannot be reached."""

    def begin(self, slug: str, since: int = 0) -> Begun: ...
    def finish(self, slug: str, begun: Begun, figures: Figures) -> bool: ...
    def fetch(self, slug: str) -> Published | None: ...
    def news(self) -> AsyncGenerator[tuple[str, Published], None]: ...


class RedisBoard:
    """For all processes, who hear of news by Pub/Sub."""

    def begin(self, slug: str, since: int = 0) -> Begun:
        token, started = secrets.token_hex(8), time.monotonic()
        keys = [self._key(slug, part) for part in ("tick", "lock", "live")]
        hold = int(COUNTING_SECONDS * 1000)
        version, won, left, clock = self._redis.eval(BEGIN, 3, *keys, since, token, hold)
        done = since > 0 and not version
        return Begun(version, bool(won), done, max(left, 1) / 1000, token, clock, started)

    def finish(self, slug: str, begun: Begun, figures: Figures) -> bool:
        """Publish them, unless newer ones are; whether they were."""
        at, runs = micros(figures.at), encode(figures.runs)
        spent = time.monotonic() - begun.started
        gap = max(1, int((GAP_SECONDS - spent) * 1000))
        news = json.dumps([slug, begun.version, at, runs])
        return bool(
            self._redis.eval(
                FINISH,
                2,
                self._key(slug, "live"),
                self._key(slug, "lock"),
                begun.version,
                runs,
                at,
                at - begun.clock,
                int(TTL_SECONDS * 1000),
                begun.token,
                gap,
                channel(),
                news,
            )
        )

    def fetch(self, slug: str) -> Published | None:
        version, runs, at, ahead, clock = self._redis.eval(FETCH, 1, self._key(slug, "live"))
        if version is None:
            return None
        # The database's clock without asking it: Redis' own, and how far apart they were.
        return Published(int(version), decode(runs, moment(int(at))), moment(clock + int(ahead)))

    async def news(self) -> AsyncGenerator[tuple[str, Published], None]:
        """News of all sales, over one subscription, from now on. Ends by raising one of AWAY."""
        redis = redis_async.from_url(_url(), socket_connect_timeout=1, health_check_interval=5)
        async with redis, redis.pubsub() as pubsub:
            await pubsub.subscribe(channel())
            async with aclosing(pubsub.listen()) as messages:
                async for message in messages:
                    if message["type"] == "message":
                        slug, version, at, runs = json.loads(message["data"])
                        yield slug, Published(version, decode(runs, moment(at)))

    @property
    def _redis(self) -> Any:
        return get_redis_connection("default")

    @staticmethod
    def _key(slug: str, part: str) -> str:
        return str(cache.make_key(f"flash:{slug}:{part}"))


def channel() -> str:
    """Databases of one Redis share their channels; the number keeps shops apart."""
    return f"souk:{urlsplit(_url()).path.strip('/') or '0'}:flash"


def _url() -> str:
    return str(settings.CACHES["default"]["LOCATION"])


class LocalBoard:
    """The same for the one process there is."""

    def __init__(self, clock: Callable[[], int] = lambda: time.time_ns() // 1000) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._tick = 0
        self._free_at: dict[str, float] = {}
        self._published: dict[str, tuple[Published, timedelta]] = {}

    def begin(self, slug: str, since: int = 0) -> Begun:
        started = time.monotonic()
        with self._lock:
            clock, free_at = self._clock(), self._free_at.get(slug, 0.0)
            newest = self._published.get(slug)
            if since and newest is not None and newest[0].version > since:
                return Begun(0, False, True, 0.0, "", clock, started)
            self._tick = max(self._tick + 1, clock)
            won = started >= free_at
            if won:
                free_at = self._free_at[slug] = started + GAP_SECONDS
            return Begun(self._tick, won, False, free_at - started, "", clock, started)

    def finish(self, slug: str, begun: Begun, figures: Figures) -> bool:
        with self._lock:
            newest = self._published.get(slug)
            if newest is not None and begun.version <= newest[0].version:
                return False
            ahead = figures.at - moment(begun.clock)
            self._published[slug] = Published(begun.version, figures), ahead
        return True

    def fetch(self, slug: str) -> Published | None:
        with self._lock:
            found = self._published.get(slug)
            now = moment(self._clock())
        return None if found is None else found[0]._replace(now=now + found[1])

    async def news(self) -> AsyncGenerator[tuple[str, Published], None]:
        """By looking: in one process there are few sales, and nothing to wait on in asyncio."""
        seen: dict[str, int] = {}
        while True:
            with self._lock:
                found = {slug: published for slug, (published, _) in self._published.items()}
            for slug, published in found.items():
                if published.version > seen.get(slug, 0):
                    seen[slug] = published.version
                    yield slug, published
            await asyncio.sleep(LOOK_SECONDS)


_local: Final = LocalBoard()
_shared: Final = RedisBoard()


def board() -> Board:
    return _shared if is_shared() else _local
