"""A task that does nothing, counted where its time is not: in Redis."""

from celery import shared_task
from django_redis import get_redis_connection  # type: ignore[import-untyped]

COUNTER = "benchmark:done"


@shared_task(name="benchmarks.nothing")
def nothing() -> None:
    get_redis_connection("default").incr(COUNTER)
