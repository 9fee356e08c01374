"""How MySQL and Redis are reached."""

from typing import Any

import environ

env = environ.Env()

# Seconds; 0 is no limit. Reading takes longer than innodb_lock_wait_timeout below, or a wait for a
# lock would be taken for a lost server.
MYSQL_CONNECT_TIMEOUT = env.int("MYSQL_CONNECT_TIMEOUT", default=5)
MYSQL_READ_TIMEOUT = env.int("MYSQL_READ_TIMEOUT", default=30)
MYSQL_WRITE_TIMEOUT = env.int("MYSQL_WRITE_TIMEOUT", default=30)


def mysql(url: str) -> dict[str, Any]:
    """A DATABASES entry for MySQL from a URL, with the isolation level the locks rely on."""
    options = {
        "charset": "utf8mb4",
        # REPEATABLE READ loses updates on MySQL; Now() must be UTC whatever the server's zone.
        "isolation_level": "read committed",
        "init_command": "SET SESSION time_zone='+00:00', sql_mode='STRICT_TRANS_TABLES,"
        "NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', "
        "innodb_lock_wait_timeout=10",
        # Without these a server that falls silent holds a thread for ever.
        "connect_timeout": MYSQL_CONNECT_TIMEOUT,
        "read_timeout": MYSQL_READ_TIMEOUT,
        "write_timeout": MYSQL_WRITE_TIMEOUT,
    }
    return {
        **env.db_url_config(url),
        "ENGINE": "django.db.backends.mysql",
        "OPTIONS": options,
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
    }


def replica(url: str) -> dict[str, Any]:
    """The same for a replica: away or silent, it is given up sooner, since there is the primary."""
    found = mysql(url)
    found["OPTIONS"] |= {"connect_timeout": 1, "read_timeout": 2, "write_timeout": 2}
    return {**found, "TEST": {"MIRROR": "default"}}


def redis_cache(url: str) -> dict[str, Any]:
    """A CACHES entry for Redis; an answer from a cache that is down counts as a miss."""
    return {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": url,
        "OPTIONS": {
            "SOCKET_CONNECT_TIMEOUT": 1,
            "SOCKET_TIMEOUT": 1,
            # Without these every call of a request waits the second for a Redis that is silent.
            "CONNECTION_POOL_CLASS": "common.cache.store.Pool",
            "REDIS_CLIENT_CLASS": "common.cache.store.Client",
            "IGNORE_EXCEPTIONS": True,
        },
    }
