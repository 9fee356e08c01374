"""Sending events to the shop: a thread of its own, retries with back-off for three days."""

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx

from payments.sandbox.stripe import events
from payments.sandbox.stripe.engine import Engine
from payments.sandbox.stripe.errors import JSON
from payments.sandbox.stripe.events import Delivery

log = logging.getLogger(__name__)

SENDERS = 8
TIMEOUT = 5.0
IDLE = 0.1


class Courier:
    """Delivers due events to `url`, signed with `secret`; with `url` None they stay queued."""

    def __init__(self, engine: Engine, url: str | None, secret: str) -> None:
        self.engine = engine
        self.url = url
        self.secret = secret
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="stripe-sandbox", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(TIMEOUT + 1)

    def take(self, *, include_delayed: bool = False) -> list[tuple[bytes, str]]:
        """Queued events as (payload, Stripe-Signature), counted as delivered."""
        store = self.engine.store
        with store.transaction():
            taken = events.take(store, include_delayed=include_delayed)
        return [self._signed(event) for event in taken]

    def flush(self, url: str, *, include_delayed: bool = False) -> JSON:
        """Send what is due to `url` now: how many were answered 2xx, and how many not."""
        with self.engine.store.transaction():
            due = events.due(self.engine.store, include_delayed=include_delayed)
        with _client() as client:
            sent = [self._send(client, url, delivery) for delivery in due]
        return {"delivered": sum(sent), "failed": len(sent) - sum(sent)}

    def _run(self) -> None:
        with _client() as client, ThreadPoolExecutor(SENDERS) as pool:
            while not self._stopping.is_set():
                try:
                    busy = self._step(client, pool)
                except Exception:
                    # A dead thread would lose every later event without a word.
                    log.exception("stripe sandbox: background work failed")
                    busy = False
                if not busy:
                    self._stopping.wait(IDLE)

    def _step(self, client: httpx.Client, pool: ThreadPoolExecutor) -> bool:
        done = self.engine.run_jobs()
        if self.url is None:
            return done > 0
        with self.engine.store.transaction():
            leased = events.lease(self.engine.store, 4 * SENDERS)
        self._send_all(client, pool, self.url, leased)
        return bool(leased)

    def _send_all(
        self,
        client: httpx.Client,
        pool: ThreadPoolExecutor,
        url: str,
        leased: Sequence[Delivery],
    ) -> None:
        list(pool.map(lambda d: self._send(client, url, d), [d for d in leased if not d.rank]))
        for delivery in leased:
            # One at a time: the order is the fault that was asked for.
            if delivery.rank:
                self._send(client, url, delivery)

    def _send(self, client: httpx.Client, url: str, delivery: Delivery) -> bool:
        payload, signature = self._signed(delivery.event)
        status = _post(client, url, payload, signature)
        with self.engine.store.transaction():
            events.settle(self.engine.store, delivery, status)
        return status is not None and 200 <= status < 300

    def _signed(self, event: JSON) -> tuple[bytes, str]:
        payload = events.payload(event)
        at = int(self.engine.store.clock())
        return payload, events.signature(self.secret, payload, at)


def _client() -> httpx.Client:
    return httpx.Client(timeout=TIMEOUT, follow_redirects=False, trust_env=False)


def _post(client: httpx.Client, url: str, payload: bytes, signature: str) -> int | None:
    """The status answered, or None when there was no answer."""
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": signature,
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
    }
    try:
        return client.post(url, content=payload, headers=headers).status_code
    except httpx.HTTPError:
        return None
