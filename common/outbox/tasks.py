"""The base class of every task that the outbox calls, and the outbox's own periodic tasks."""

import logging
import time
from typing import Any

from celery import Task, shared_task

from common import context, metrics, tracing
from common.outbox import services
from common.outbox.errors import TryLater

logger = logging.getLogger("souk.task")


class OutboxTask(Task):  # type: ignore[type-arg]  # generic in the stubs only
    """A task whose message is done when its body has returned, and tried again when it raised.

    Bodies may run twice: a lease can lapse under a slow worker, and a crash between the body's
    commit and `finish` repeats the body.
    """

    # `outbox_id` is not a parameter of the body, which Celery's signature check would refuse.
    typing = False

    def __call__(self, *args: Any, outbox_id: int | None = None, **kwargs: Any) -> Any:
        if outbox_id is None:
            return self.run(*args, **kwargs)
        message = services.claim(outbox_id)
        if message is None:
            return None
        token = context.request_id.set(message.request_id)
        started, outcome = time.monotonic(), "failed"
        try:
            with tracing.span(f"task {self.name}", attempt=message.attempts):
                result = self.run(*args, **kwargs)
        except TryLater as error:
            services.postpone(message, error)
            outcome = "postponed"
            return None
        except Exception as error:
            services.postpone(message, error)
            raise
        else:
            services.finish(outbox_id)
            outcome = "done"
            return result
        finally:
            seconds = time.monotonic() - started
            metrics.TASKS.labels(self.name, outcome).observe(seconds)
            facts = {"task": self.name, "outcome": outcome, "attempt": message.attempts}
            logger.info("task", extra={**facts, "duration_ms": round(seconds * 1000, 1)})
            context.request_id.reset(token)


@shared_task(name="common.outbox.sweep", ignore_result=True)
def sweep() -> int:
    return services.sweep()


@shared_task(name="common.outbox.forget_done", ignore_result=True)
def forget_done() -> int:
    return services.forget_done()
