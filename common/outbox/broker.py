"""What waits in the broker. It is only the fast path, and may be away at any time."""

from collections.abc import Iterable
from typing import Any

from celery import current_app
from kombu.exceptions import OperationalError


def errors() -> tuple[type[BaseException], ...]:
    """How a broker that is away shows."""
    return (OSError, OperationalError, *current_app.connection().connection_errors)


def lengths(queues: Iterable[str]) -> dict[str, int]:
    """How many messages each of these queues has; nothing where the broker is away."""
    try:
        with current_app.connection_for_read() as connection:
            channel: Any = connection.default_channel
            return {queue: int(channel._size(queue)) for queue in queues}
    except errors():
        return {}


def queue_of(task: str) -> str:
    """Where the routes of the settings send a task."""
    return str(current_app.amqp.router.route({}, task)["queue"].name)
