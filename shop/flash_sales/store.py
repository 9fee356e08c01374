"""What Redis knows of a run's free units: it hands them out, MySQL decides whether they were free.

Four keys a run: `meta` (`gen`, the token of the rebuild that filled it, and `seq`, the number of
calls since), `free` (units by serial number), `out`, the journal of those that were handed out, by
the moment, and `limits`: users to whom MySQL has just refused more units, for half a second.

A unit is in `out` until its transaction has ended. One that was never reported back, because its
process died, lapses and is free again as soon as the gate is filled anew; if it was sold after all,
the next buyer's conditional UPDATE says so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from django.core.cache import cache
from django_redis import get_redis_connection  # type: ignore[import-untyped]
from redis.exceptions import RedisError

from common.cache.store import is_shared

# Handed out twice a unit costs a try, and held back too long a sale.
LAPSES_MS: Final = 5_000
KEPT_SECONDS: Final = 24 * 3600
# One process fills a gate; the others read MySQL meanwhile.
FILLING_MS: Final = 2_000
# Nobody is told for longer that he may have no more: of another process' release we may not hear.
LIMIT_MS: Final = 500

_CLAIM: Final = """
local gen = redis.call('HGET', KEYS[1], 'gen')
if not gen then return {} end
local seq = redis.call('HINCRBY', KEYS[1], 'seq', 1)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local quantity, refused = 0, {}
for i = 1, #ARGV, 2 do
    local wanted = tonumber(ARGV[i + 1])
    local known = redis.call('HGET', KEYS[5], ARGV[i])
    local over = false
    if known then
        local limit, left, most, till = unpack(cjson.decode(known))
        -- More than `most` may be over another limit, which is not known here.
        over = now < till and left < wanted and wanted <= most
        if over then refused[#refused + 1] = {(i - 1) / 2, limit, left} end
    end
    if not over then quantity = quantity + wanted end
end
local units = {}
if quantity > 0 then units = redis.call('ZPOPMIN', KEYS[2], quantity) end
for i = 1, #units, 2 do redis.call('ZADD', KEYS[3], now, units[i]) end
return {gen, seq, units, refused}
"""
# Given back only if it is still out: it may have lapsed and be another buyer's.
_RETURN: Final = """
for i = 1, #ARGV, 2 do
    if redis.call('ZREM', KEYS[3], ARGV[i]) == 1 and redis.call('EXISTS', KEYS[1]) == 1 then
        redis.call('ZADD', KEYS[2], ARGV[i + 1], ARGV[i])
    end
end
"""
_FREE: Final = """
redis.call('HDEL', KEYS[5], ARGV[1])
if redis.call('EXISTS', KEYS[1]) == 0 then return end
for i = 2, #ARGV, 2 do
    redis.call('ZREM', KEYS[3], ARGV[i])
    redis.call('ZADD', KEYS[2], ARGV[i + 1], ARGV[i])
end
"""
_BEGIN: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('SET', KEYS[4], ARGV[1], 'NX', 'PX', ARGV[2]) then
    redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - ARGV[3])
    return 1
end
return 0
"""
_FILL: Final = """
if redis.call('GET', KEYS[4]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[4])
for i = 3, #ARGV, 2 do
    if not redis.call('ZSCORE', KEYS[3], ARGV[i]) then
        redis.call('ZADD', KEYS[2], ARGV[i + 1], ARGV[i])
    end
end
redis.call('HSET', KEYS[1], 'gen', ARGV[1], 'seq', 0)
for i = 1, 3 do redis.call('EXPIRE', KEYS[i], ARGV[2]) end
return 1
"""

_REMEMBER: Final = """
local time = redis.call('TIME')
local till = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1]
for i = 2, #ARGV, 4 do
    local known = {tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3]), till}
    redis.call('HSET', KEYS[5], ARGV[i], cjson.encode(known))
end
redis.call('PEXPIRE', KEYS[5], ARGV[1])
"""

Unit = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Limit:
    """A user may have `limit` units and has `limit - left`."""

    limit: int
    left: int


@dataclass(frozen=True, slots=True)
class Handed:
    """Units that the gate has handed out, each (primary key, serial number); who gets none.

    `refused` is by the buyer's place among those who asked.
    """

    gen: str
    seq: int
    units: list[Unit]
    refused: dict[int, Limit]


class Gone(Exception):
    """Redis cannot be asked: MySQL alone does what it does anyway."""


def claim(run_id: int, wanted: Iterable[tuple[int, int]]) -> Handed | None:
    """Units for buyers, each (user, quantity), as far as there are any; None: no gate of this run.

    Who is known to have all he may have is refused and gets none. Raises Gone.
    """
    found = _call(_CLAIM, run_id, *_flat(wanted))
    if not found:
        return None
    gen, seq, pairs, refused = found
    units = [(int(pairs[i]), int(pairs[i + 1])) for i in range(0, len(pairs), 2)]
    return Handed(_text(gen), seq, units, {place: Limit(*known) for place, *known in refused})


def remember(run_id: int, refused: Iterable[tuple[int, Limit, int]]) -> None:
    """Users, each with what MySQL said of his limit and how many he wanted. Raises Gone."""
    known = [part for user, at, most in refused for part in (user, at.limit, at.left, most)]
    if known:
        _call(_REMEMBER, run_id, LIMIT_MS, *known)


def settle(run_id: int, keys: Sequence[int]) -> None:
    """Their transaction has ended, and they are sold or held. Raises Gone."""
    if keys:
        _redis(lambda redis: redis.zrem(_keys(run_id)[2], *keys))


def put_back(run_id: int, units: Iterable[Unit]) -> None:
    """They were handed out and not needed. Raises Gone."""
    _call(_RETURN, run_id, *_flat(units))


def set_free(run_id: int, user_id: int, units: Iterable[Unit]) -> None:
    """Their buyer has given them up, by a commit, and may have others. Raises Gone."""
    _call(_FREE, run_id, user_id, *_flat(units))


def begin_filling(run_id: int) -> str | None:
    """A token for `fill`, before MySQL is read; None while another process is at it."""
    gen = uuid4().hex
    return gen if _call(_BEGIN, run_id, gen, FILLING_MS, LAPSES_MS) else None


def fill(run_id: int, gen: str, units: Iterable[Unit]) -> bool:
    """Make the gate anew of all free units but those that are out. Raises Gone."""
    return bool(_call(_FILL, run_id, gen, KEPT_SECONDS, *_flat(units)))


def forget(run_id: int) -> None:
    """What it says is wrong: whoever asks next fills it. Raises Gone."""
    _redis(lambda redis: redis.delete(*_keys(run_id)[:2]))


def _call(script: str, run_id: int, *arguments: Any) -> Any:
    keys = _keys(run_id)
    return _redis(lambda redis: redis.eval(script, len(keys), *keys, *arguments))


def _redis(work: Any) -> Any:
    if not is_shared():
        raise Gone
    try:
        return work(get_redis_connection("default"))
    except (RedisError, OSError) as error:
        raise Gone from error


def _keys(run_id: int) -> list[str]:
    # Braces: one slot of a cluster.
    names = ("meta", "free", "out", "filling", "limits")
    return [cache.make_key(f"flash:{{{run_id}}}:{name}") for name in names]


def _flat(pairs: Iterable[tuple[int, int]]) -> list[int]:
    return [part for pair in pairs for part in pair]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
