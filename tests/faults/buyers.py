"""Buyers who buy one after the other, through the load balancer, and note what they are told."""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from tests.sizes import LOOSE

# For which a buyer looks whether an order is paid.
PATIENCE: Final = 5.0 * LOOSE


@dataclass(frozen=True, slots=True)
class Failure:
    """What a client saw that was neither a success nor a refusal of business."""

    at: float
    what: str
    told: str
    retry_after: bool


@dataclass
class Buyers:
    """One thread for each token; `patient` ones ask again, with the same key, for two minutes.

    With `looks` each waits a while for the last order to be paid: faster than the workers they
    would only make a queue, whose end says how fast the machine is. `orders` are the numbers of all
    whose payment was accepted; `failures` what went wrong, also where a second try went well.
    """

    url: str
    tokens: Sequence[str]
    slug: str
    patient: bool = False
    pause: float = 0.3
    looks: bool = True
    orders: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)

    def __enter__(self) -> "Buyers":
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._buy, args=(t,)) for t in self.tokens]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, more: int, *, seconds: float = 300) -> None:
        """Until so many more have bought."""
        wanted, until = len(self.orders) + more, time.monotonic() + seconds
        while len(self.orders) < wanted:
            assert time.monotonic() < until, f"{self.statuses} {self.failures[-3:]}"
            time.sleep(0.02)

    def _buy(self, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(
            base_url=self.url + "/api/v1/", headers=headers, timeout=60, trust_env=False
        ) as client:
            while not self._end.is_set():
                self._one(client)
                time.sleep(self.pause)

    def _one(self, client: httpx.Client) -> None:
        body = {"lines": [{"product": self.slug, "quantity": 1}], "payment": {"method": "stripe"}}
        placed = self._ask(client, "orders/", body)
        if placed is None or placed.status_code != 201:
            return
        order = placed.json()
        path = f"payments/{order['payment']['id']}/confirm/"
        paid = self._ask(client, path, {"payment_method": "pm_card_visa"})
        if paid is not None and paid.status_code == 202:
            self.orders.append(order["number"])
            if self.looks:
                self._look(client, order["number"])

    def _look(self, client: httpx.Client, number: str) -> None:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and not self._end.is_set():
            answer = self._try(client, "GET", f"orders/{number}/")
            if answer is not None and answer.json()["status"] == "paid":
                return
            time.sleep(0.2)

    def _ask(self, client: httpx.Client, path: str, body: Any) -> httpx.Response | None:
        """An answer that is none of ours to mend, else None."""
        key, until = str(uuid.uuid4()), time.monotonic() + (120 if self.patient else 0)
        while True:
            answer = self._try(client, "POST", path, body, key)
            if answer is not None or time.monotonic() >= until:
                return answer
            time.sleep(0.2)

    def _try(
        self, client: httpx.Client, method: str, path: str, body: Any = None, key: str = ""
    ) -> httpx.Response | None:
        started, what = time.monotonic(), path.partition("/")[0]
        headers = {"Idempotency-Key": key} if key else {}
        try:
            answer = client.request(method, path, json=body, headers=headers)
        except httpx.TransportError as error:
            self.failures.append(Failure(started, what, repr(error), False))
            return None
        self.statuses[answer.status_code] += 1
        self.times.append(time.monotonic() - started)
        again = "Retry-After" in answer.headers
        # 409: the first try with this key is still at work, in a replica that nobody waits for.
        if answer.status_code >= 500 or (self.patient and answer.status_code == 409 and again):
            told = f"{answer.status_code} {answer.text[:200]}"
            self.failures.append(Failure(started, what, told, again))
            return None
        return answer
