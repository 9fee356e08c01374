"""Probes that check what they say."""

from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from common.db import isolation_is_right
from config.metrics import rounds


@require_safe
def livez(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Database, isolation level and migrations decide; the rest is told and never fails it.

    `queues` says for each how many seconds ago the last pulse that came out of it was sent; null
    where none has. A web server without workers still takes orders.
    """
    checks = _database()
    ready = all(checks.values())
    checks["cache"] = _cache()
    checks["queues"] = {queue: rounds.age(queue) for queue in settings.QUEUES}
    body = {"status": "ok" if ready else "unavailable", "checks": checks}
    return JsonResponse(body, status=200 if ready else 503)


def _database() -> dict[str, Any]:
    try:
        return {
            "database": True,
            "isolation": isolation_is_right(),
            "migrations": _migrated(),
        }
    except DatabaseError:
        return {"database": False}


_all_migrated = False


def _migrated() -> bool:
    # Once true it stays true for this code; reading the migration graph takes 100 ms.
    global _all_migrated
    if not _all_migrated:
        executor = MigrationExecutor(connection)
        _all_migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return _all_migrated


def _cache() -> bool:
    cache.set("readyz", "ok", 5)
    return bool(cache.get("readyz") == "ok")
