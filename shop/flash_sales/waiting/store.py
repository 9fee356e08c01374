"""Rooms: in Redis for all processes, in this one where there is no Redis or it is away."""

import threading
import time
from bisect import bisect_left
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol

from django.core.cache import cache
from django_redis import get_redis_connection  # type: ignore[import-untyped]
from redis.exceptions import RedisError

from common.cache.store import is_shared
from shop.flash_sales.waiting.rules import Room

AWAY: Final = (RedisError, OSError)
LIFE_SECONDS: Final = 24 * 3600
# Turns are noted once a second, and for longer than an admission lasts.
MOST_TURNS: Final = 2000

VISIT: Final = """
local user, join, rate, open, lapse, asked = unpack(ARGV)
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local state = redis.call('HMGET', KEYS[1], 'room', 'last', 'gone', 'at', 'noted')
if not state[1] then
    if join == '0' then return {} end
    state = {string.format('%.0f', now), '0', '0', string.format('%.0f', now), '0'}
end
local last, noted = tonumber(state[2]), tonumber(state[5])
local seconds = math.max(0, math.min((now - tonumber(state[4])) / 1000000, tonumber(open)))
local gone = math.max(tonumber(state[3]), math.min(state[3] + seconds * rate, last + 1))
if now - noted >= 1000000 then
    redis.call('ZADD', KEYS[3], math.floor(gone), string.format('%.0f', now))
    redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -tonumber(ARGV[7]) - 1)
    noted = now
end
local function turn(number)
    if not number or number > math.floor(gone) then return 0 end
    return tonumber(redis.call('ZRANGEBYSCORE', KEYS[3], number, '+inf', 'LIMIT', 0, 1)[1] or now)
end
local number = tonumber(asked) > 0 and tonumber(asked)
    or tonumber(redis.call('HGET', KEYS[2], user) or nil)
local came = turn(number)
if join == '1' and (not number or (came > 0 and now - came >= lapse * 1000000)) then
    last = last + 1
    number = last
    redis.call('HSET', KEYS[2], user, number)
    came = turn(number)
end
redis.call('HSET', KEYS[1], 'room', state[1], 'last', last, 'gone', string.format('%.6f', gone),
    'at', string.format('%.0f', now), 'noted', string.format('%.0f', noted))
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, ARGV[8]) end
return {tonumber(state[1]), number or 0, math.floor(gone), came > 0 and now - came or -1}
"""


class Visit(NamedTuple):
    """A number (0: none) in a room of which `gone` were let in; `since`: seconds of its turn."""

    room: int
    number: int
    gone: int
    since: float | None


class Terms(NamedTuple):
    """Admissions a second, for how long the run has been open, how long an admission lasts."""

    rate: int
    open_seconds: float
    lapse_seconds: float


class Rooms(Protocol):
    def join(self, run: int, user: int, terms: Terms) -> Visit:
        """The user's place, or a new one where he has none that still counts."""

    def look(self, run: int, terms: Terms, *, user: int = 0, number: int = 0) -> Visit | None:
        """The place of a user, or of a number; None where there is no such room."""


class RedisRooms:
    """For all processes. Raises one of AWAY."""

    def join(self, run: int, user: int, terms: Terms) -> Visit:
        return Visit(*self._visit(run, user, "1", terms, 0))

    def look(self, run: int, terms: Terms, *, user: int = 0, number: int = 0) -> Visit | None:
        found = self._visit(run, user, "0", terms, number)
        return Visit(*found) if found else None

    def _visit(self, run: int, user: int, join: str, terms: Terms, number: int) -> Any:
        redis: Any = get_redis_connection("default")
        keys = [cache.make_key(f"flash-room:{run}:{part}") for part in ("state", "who", "turns")]
        limits = (MOST_TURNS, LIFE_SECONDS)
        found = redis.eval(VISIT, 3, *keys, user, join, *terms, number, *limits)
        if not found:
            return ()
        *place, since = found
        return (*place, None if since < 0 else since / 1e6)


class LocalRooms:
    """The same for one process."""

    def __init__(self, clock: Callable[[], int] = lambda: time.time_ns() // 1000) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._rooms: dict[int, Room] = {}
        self._numbers: dict[tuple[int, int], int] = {}
        self._turns: dict[int, list[tuple[int, int]]] = {}

    def join(self, run: int, user: int, terms: Terms) -> Visit:
        with self._lock:
            now = self._clock()
            room = self._moved(self._rooms.get(run) or Room(now, 0, 0.0, now), run, now, terms)
            visit = self._visit(room, run, self._numbers.get((run, user), 0), now)
            if visit.number and (visit.since is None or visit.since < terms.lapse_seconds):
                return visit
            room = Room(room.key, room.last + 1, room.gone, room.at)
            self._rooms[run], self._numbers[run, user] = room, room.last
            return self._visit(room, run, room.last, now)

    def look(self, run: int, terms: Terms, *, user: int = 0, number: int = 0) -> Visit | None:
        with self._lock:
            found, now = self._rooms.get(run), self._clock()
            if found is None:
                return None
            room = self._moved(found, run, now, terms)
            return self._visit(room, run, number or self._numbers.get((run, user), 0), now)

    def _moved(self, found: Room, run: int, now: int, terms: Terms) -> Room:
        room = self._rooms[run] = found.moved_on(now, terms.rate, terms.open_seconds)
        turns = self._turns.setdefault(run, [])
        if not turns or now - turns[-1][1] >= 1_000_000:
            turns.append((int(room.gone), now))
            del turns[:-MOST_TURNS]
        return room

    def _visit(self, room: Room, run: int, number: int, now: int) -> Visit:
        gone = int(room.gone)
        if not number or number > gone:
            return Visit(room.key, number, gone, None)
        turns = self._turns[run]
        index = bisect_left(turns, (number, 0))
        came = turns[index][1] if index < len(turns) else now
        return Visit(room.key, number, gone, (now - came) / 1e6)


_local: Final = LocalRooms()
_shared: Final = RedisRooms()


def rooms() -> Rooms:
    return _shared if is_shared() else _local


def own_rooms() -> Rooms:
    """Of this process alone: while Redis is away."""
    return _local
