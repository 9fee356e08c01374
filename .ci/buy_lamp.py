"""Buy the lamp over HTTP as a new customer would: `python .ci/buy_lamp.py http://127.0.0.1:8000`.

Exits with 1 unless a declined card is refused, another one is accepted, and a worker has the order
paid, one unit less on the shelf and the purchase in the history within the limit.
"""

import json
import secrets
import sys
import time
import urllib.error
import urllib.request
from typing import Any

LIMIT_SECONDS = 10.0


class Shop:
    """A client of one customer."""

    def __init__(self, base: str) -> None:
        self.base = f"{base.rstrip('/')}/api/v1/"
        self.access = ""

    def call(self, method: str, path: str, body: Any = None, key: str = "") -> tuple[int, Any]:
        """The status and the JSON of an answer, whether success or refusal; `key`: idempotency."""
        request = urllib.request.Request(self.base + path, method=method)
        request.add_header("Accept", "application/json")
        if self.access:
            request.add_header("Authorization", f"Bearer {self.access}")
        if key:
            request.add_header("Idempotency-Key", key)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read() or "null")
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.loads(refusal.read() or "null")

    def expect(self, status: int, method: str, path: str, body: Any = None) -> Any:
        """The JSON of an answer that has to have this status."""
        found, answer = self.call(method, path, body)
        if found != status:
            sys.exit(f"{method} {path}: {found} instead of {status}: {answer}")
        return answer


def buy(shop: Shop) -> float:
    """Register, order and pay; the seconds from the accepted card to the paid order."""
    name = f"lamp-{secrets.token_hex(6)}"
    account = {"email": f"{name}@example.com", "password": secrets.token_urlsafe(16)}
    shop.access = shop.expect(201, "POST", "auth/register/", account)["access"]
    before = shop.expect(200, "GET", "products/lamp/")["available"]
    wanted = {"lines": [{"product": "lamp", "quantity": 1}], "payment": {"method": "stripe"}}
    order = shop.expect(201, "POST", "orders/", wanted)
    confirm = f"payments/{order['payment']['id']}/confirm/"
    shop.expect(402, "POST", confirm, {"payment_method": "pm_card_visa_chargeDeclined"})
    shop.expect(202, "POST", confirm, {"payment_method": "pm_card_visa"})
    took = wait_until_paid(shop, order["number"])
    after = shop.expect(200, "GET", "products/lamp/")["available"]
    bought = shop.expect(200, "GET", "purchases/")["results"]
    if after != before - 1 or len(bought) != 1:
        sys.exit(f"available {before} → {after}, purchases {bought}")
    return took


def wait_until_paid(shop: Shop, number: str) -> float:
    started = time.monotonic()
    while (took := time.monotonic() - started) < LIMIT_SECONDS:
        order = shop.expect(200, "GET", f"orders/{number}/")
        if order["status"] == "paid":
            return took
        time.sleep(0.1)
    sys.exit(f"order {number} is {order['status']} after {LIMIT_SECONDS:g} s")


if __name__ == "__main__":
    print(f"bought the lamp; paid after {buy(Shop(sys.argv[1])):.1f} s")
