"""Ticks of the market, and who listens for requests to make one.

The beat's task is the guarantee. The channel is a faster way to the same end: its messages may be
lost or come twice, since a tick is taken by one process and stores each reading once.
"""

import logging
import threading
import time
from typing import Any, Final

from celery import shared_task
from celery.signals import worker_ready
from django.conf import settings

from payments.market import services, store

logger = logging.getLogger(__name__)
AGAIN_SECONDS: Final = 5.0


@shared_task(name="payments.market.tick", ignore_result=True)
def tick() -> int:
    """Every few seconds: if it is time to, have somebody fetch, and fetch if nobody has."""
    services.trigger_send(every=settings.MARKET_TICK_SECONDS)
    return services.prices_tick(every=settings.MARKET_TICK_SECONDS)


@shared_task(name="payments.market.update", ignore_result=True)
def update() -> int:
    """Somebody has asked for an update on the channel."""
    return services.prices_tick(every=settings.MARKET_TRIGGER_SECONDS)


@shared_task(name="payments.market.forget", ignore_result=True)
def forget() -> int:
    return services.market_forget()


@worker_ready.connect
def listen(**_: Any) -> None:
    """Each worker hears the channel in a thread; without Redis there is none."""
    tick.delay()
    if store.is_shared():
        threading.Thread(target=_listen, name="market", daemon=True).start()


def _listen() -> None:
    while True:
        try:
            for _ in store.triggers():
                update.delay()
        except store.AWAY as error:
            logger.warning("market.no_channel", extra={"error": type(error).__name__})
        time.sleep(AGAIN_SECONDS)
