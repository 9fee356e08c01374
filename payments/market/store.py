"""What Redis, or the cache of the one process there is, has of the market.

The latest prices; whose turn it is to fetch while a buyer waits; and the channel on which anybody
may ask for an update.
"""

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.cache import cache
from django_redis import get_redis_connection  # type: ignore[import-untyped]
from redis import Redis
from redis.exceptions import RedisError

from common.cache.store import is_shared as is_shared
from common.cache.volatile import volatile
from common.limits.store import count
from payments.market.rules.prices import Price

AWAY: Final = (RedisError, OSError)
# The number changes with the shape of `Price`: releases side by side share the cache.
_LATEST: Final = "market:latest:1"
# Whoever stores prices renews them; this is for one who died in between.
LATEST_SECONDS: Final = 60
# While there is nothing, the first prices should show soon.
NOTHING_SECONDS: Final = 2
FETCHING_SECONDS: Final = 10
# After a fetch that brought nothing: buyers who wait would ask for it one after the other.
AGAIN_SECONDS: Final = 1
LISTEN_SECONDS: Final = 30.0
TRIGGER: Final = {"trigger": "update"}
# The turn of one who took too long is somebody else's by now. EXPIRE with 0 deletes.
LET_GO: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
    redis.call('EXPIRE', KEYS[1], ARGV[2])
end
"""


def latest_get() -> dict[str, Price] | None:
    found: dict[str, Price] | None = volatile().get(_LATEST)
    return found


def latest_set(prices: Mapping[str, Price]) -> None:
    volatile().set(_LATEST, dict(prices), LATEST_SECONDS if prices else NOTHING_SECONDS)


def fetching_begin(coin: str) -> str | None:
    """A token for one of many buyers who need the coin's rate at the same time.

    Without Redis each of them has one; MySQL keeps the providers' budgets.
    """
    token = uuid.uuid4().hex
    if not is_shared():
        return token if cache.add(_fetching(coin), token, FETCHING_SECONDS) else None
    redis: Any = get_redis_connection("default")
    key = cache.make_key(_fetching(coin))
    try:
        return token if redis.set(key, token, nx=True, ex=FETCHING_SECONDS) else None
    except AWAY:
        return token


def fetching_end(coin: str, token: str, *, found: bool) -> None:
    """Let go of what is still one's own; for a moment nobody may ask again where nothing came."""
    seconds = 0 if found else AGAIN_SECONDS
    if is_shared():
        redis: Any = get_redis_connection("default")
        with suppress(*AWAY):
            redis.eval(LET_GO, 1, cache.make_key(_fetching(coin)), token, seconds)
    elif cache.get(_fetching(coin)) == token:
        cache.touch(_fetching(coin), seconds)


def _fetching(coin: str) -> str:
    return f"market:fetching:{coin}"


def calls_count(provider: str) -> int:
    """One more call of this minute, counted by all processes together."""
    used, _, _ = count(f"market:{provider}", 60)
    return used


def channel() -> str:
    """Databases of one Redis share their channels; the number keeps shops apart."""
    return f"souk:{urlsplit(_url()).path.strip('/') or '0'}:market"


def trigger_publish() -> int:
    """Ask for an update; how many heard it. Raises one of AWAY."""
    if not is_shared():
        return 0
    redis: Any = get_redis_connection("default")
    return int(redis.publish(channel(), json.dumps(TRIGGER)))


def triggers() -> Iterator[None]:
    """One for each request for an update, from now on. Ends by raising one of AWAY.

    Messages that say something else are passed over.
    """
    redis: Any = Redis.from_url(_url(), socket_connect_timeout=5, health_check_interval=15)
    with redis, redis.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe(channel())
        while True:
            # With a time limit: a connection that died unheard is noticed when it lapses.
            message = pubsub.get_message(timeout=LISTEN_SECONDS)
            if message is not None and is_trigger(message["data"]):
                yield


def is_trigger(data: Any) -> bool:
    try:
        return bool(json.loads(data) == TRIGGER)
    except (ValueError, TypeError, RecursionError):
        return False


def _url() -> str:
    return str(settings.CACHES["default"]["LOCATION"])
