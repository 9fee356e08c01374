"""What Redis knows of a run's free units: it hands them out, MySQL decides whether they were free.

Three keys a run: `meta` (`gen`, the token of the rebuild that filled it, and `seq`, the number of
calls since), `free` (units by serial number) and `out`, the journal of those that were handed out,
by the moment. A unit is in `out` until its transaction has ended. One that was never reported back,
because its process died, lapses and is free again as soon as the gate is filled anew; if it was
sold after all, the next buyer's conditional UPDATE says so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from django.core.cache import cache
from django_redis import get_redis_connection  # type: ignore[import-untyped]
from redis.exceptions import RedisError

from common.limits.store import is_shared

# Handed out twice a unit costs a try, and held back too long a sale.
LAPSES_MS: Final = 5_000
KEPT_SECONDS: Final = 24 * 3600
# One process fills a gate; the others read MySQL meanwhile.
FILLING_MS: Final = 2_000

_CLAIM: Final = """
local gen = redis.call('HGET', KEYS[1], 'gen')
if not gen then return {} end
local seq = redis.call('HINCRBY', KEYS[1], 'seq', 1)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local units = redis.call('ZPOPMIN', KEYS[2], ARGV[1])
for i = 1, #units, 2 do redis.call('ZADD', KEYS[3], now, units[i]) end
return {gen, seq, unpack(units)}
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
if redis.call('EXISTS', KEYS[1]) == 0 then return end
for i = 1, #ARGV, 2 do
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

Unit = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Handed:
    """Units that the gate has handed out, each (primary key, serial number)."""

    gen: str
    seq: int
    units: list[Unit]


class Gone(Exception):
    """Redis cannot be asked: MySQL alone does what it does anyway."""


def claim(run_id: int, quantity: int) -> Handed | None:
    """At most `quantity` units; None where there is no gate of this run. Raises Gone."""
    found = _call(_CLAIM, run_id, quantity)
    if not found:
        return None
    pairs = found[2:]
    units = [(int(pairs[i]), int(pairs[i + 1])) for i in range(0, len(pairs), 2)]
    return Handed(_text(found[0]), int(found[1]), units)


def settle(run_id: int, keys: Sequence[int]) -> None:
    """Their transaction has ended, and they are sold or held. Raises Gone."""
    if keys:
        _redis(lambda redis: redis.zrem(_keys(run_id)[2], *keys))


def put_back(run_id: int, units: Iterable[Unit]) -> None:
    """They were handed out and not needed. Raises Gone."""
    _call(_RETURN, run_id, *_flat(units))


def set_free(run_id: int, units: Iterable[Unit]) -> None:
    """Their buyers have given them up, by a commit. Raises Gone."""
    _call(_FREE, run_id, *_flat(units))


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
    names = ("meta", "free", "out", "filling")
    return [cache.make_key(f"flash:{{{run_id}}}:{name}") for name in names]


def _flat(units: Iterable[Unit]) -> list[int]:
    return [part for unit in units for part in unit]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
