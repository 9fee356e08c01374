"""Probes that check what they say, and the words at `/`."""

from typing import Any

from django.core.cache import cache
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from common.db import isolation_is_right


@require_safe
def welcome(request: HttpRequest) -> JsonResponse:
    """Where to go from here."""
    links = {
        "products": "/api/v1/products/",
        "schema": "/api/schema/",
        "docs": "/api/docs/",
        "redoc": "/api/redoc/",
        "admin": "/admin/",
    }
    return JsonResponse(
        {"name": "Souk", **{k: request.build_absolute_uri(v) for k, v in links.items()}}
    )


@require_safe
def livez(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Database, isolation level and migrations decide; the cache is reported and never fails it."""
    checks = _database()
    ready = all(checks.values())
    checks["cache"] = _cache()
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
