"""A shop in containers loses some of them, and its buyers nothing: called by `make compose-test`.

    python .ci/compose_sale.py http://127.0.0.1:8000 docker compose -f docker-compose.yml

Somebody buys from a wallet, somebody with coins; then a crowd buys a flash sale empty, while a web
replica and after it the worker for payments are killed. Exits with 1 unless every purchase that was
accepted is paid, exactly as many units are sold as there were, and every invariant holds.
"""

import http.client
import re
import secrets
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from buy_lamp import Shop

UNITS: Final = 200
BUYERS: Final = 12
PATIENCE: Final = 300.0
Compose = Callable[..., str]


class Buyer(Shop):
    """A customer who asks again, with the same key, where nobody was there to answer."""

    def __init__(self, base: str) -> None:
        super().__init__(base)
        self.retries = 0
        name = f"buyer-{secrets.token_hex(6)}"
        account = {"email": f"{name}@example.com", "password": secrets.token_urlsafe(16)}
        self.access = self.expect(201, "POST", "auth/register/", account)["access"]

    def insist(self, path: str, body: Any) -> tuple[int, Any]:
        key, until = str(uuid.uuid4()), time.monotonic() + PATIENCE
        while True:
            status, answer = self._try(path, body, key)
            if status not in (0, 503) and answer.get("code") != "idempotency_key_in_use":
                return status, answer
            if time.monotonic() > until:
                sys.exit(f"POST {path}: still {status} after {PATIENCE:g} s: {answer}")
            self.retries += 1
            time.sleep(0.5)

    def _try(self, path: str, body: Any, key: str) -> tuple[int, Any]:
        try:
            return self.call("POST", path, body, key)
        except (OSError, http.client.HTTPException) as error:
            return 0, {"error": repr(error)}

    def until_paid(self, number: str) -> float:
        started = time.monotonic()
        while time.monotonic() - started < PATIENCE:
            order = self.expect(200, "GET", f"orders/{number}/")
            if order["status"] == "paid":
                return time.monotonic() - started
            time.sleep(0.2)
        sys.exit(f"order {number} is {order['status']} after {PATIENCE:g} s")


def order(buyer: Buyer, payment: dict[str, str]) -> Any:
    wanted = {"lines": [{"product": "lamp", "quantity": 1}], "payment": payment}
    return buyer.expect(201, "POST", "orders/", wanted)


def by_wallet(base: str) -> str:
    """Money by card into the wallet, then a lamp from it."""
    buyer = Buyer(base)
    wanted = {"amount": "200.00", "currency": "USD", "payment": {"method": "stripe"}}
    deposit = buyer.expect(201, "POST", "wallet/deposits/", wanted)
    card = {"payment_method": "pm_card_visa"}
    buyer.expect(202, "POST", f"payments/{deposit['id']}/confirm/", card)
    until = time.monotonic() + PATIENCE
    while not any(each["available"] == "200.00" for each in balances(buyer)):
        if time.monotonic() > until:
            sys.exit(f"the deposit does not arrive: {balances(buyer)}")
        time.sleep(0.2)
    took = buyer.until_paid(order(buyer, {"method": "wallet"})["number"])
    return f"from a wallet: paid after {took:.1f} s"


def balances(buyer: Buyer) -> list[Any]:
    return list(buyer.expect(200, "GET", "wallet/")["balances"])


def by_coins(base: str, compose: Compose) -> str:
    """A wallet with coins of the mock chain pays what the invoice says."""
    buyer = Buyer(base)
    placed = order(buyer, {"method": "crypto", "token": "ETH"})
    invoice = placed["payment"]["crypto"]
    manage = ("exec", "-T", "worker-background", "python", "manage.py")
    found = re.search(r"0x[0-9a-f]{64}", compose(*manage, "chain_wallet"))
    if found is None:
        sys.exit("chain_wallet shows no key")
    words = ("--key", found[0], "--to", invoice["address"], "--amount", invoice["amount"])
    compose(*manage, "chain_pay", *words)
    took = buyer.until_paid(placed["number"])
    return f"with {invoice['amount']} ETH: {invoice['confirmations_required']} blocks, {took:.1f} s"


def sale(base: str, compose: Compose) -> str:
    """The slug of a flash sale that is open."""
    password, email = secrets.token_urlsafe(16), "staff@example.com"
    named = ("--noinput", "--email", email)
    own = ("exec", "-T", "-e", f"DJANGO_SUPERUSER_PASSWORD={password}", "web-1")
    compose(*own, "python", "manage.py", "createsuperuser", *named)
    staff = Shop(base)
    account = {"email": email, "password": password}
    staff.access = staff.expect(200, "POST", "auth/token/", account)["access"]
    wanted = {
        "product": "lamp",
        "slug": "compose-sale",
        "price": "5.00",
        "allocation": UNITS,
        "starts_at": (datetime.now(UTC) + timedelta(seconds=2)).isoformat(),
        "per_user_limit": UNITS,
    }
    staff.expect(200, "PATCH", "admin/products/lamp/", {"name": "Lamp"})
    staff.expect(201, "POST", "admin/products/lamp/stock/", {"delta": UNITS, "reason": "a sale"})
    staff.expect(201, "POST", "admin/flash-sales/", wanted)
    return "compose-sale"


class Crowd:
    """Buyers in threads, each buying until there is nothing left."""

    def __init__(self, base: str, slug: str) -> None:
        self.buyers = [Buyer(base) for _ in range(BUYERS)]
        self.path = f"flash-sales/{slug}/purchases/"
        self.orders: list[tuple[Buyer, str]] = []
        self.refused: Counter[str] = Counter()
        self.broken: list[str] = []
        self._threads = [threading.Thread(target=self._run, args=(each,)) for each in self.buyers]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wait(self) -> None:
        for thread in self._threads:
            thread.join()

    def wait_for(self, number: int) -> None:
        until = time.monotonic() + PATIENCE
        while len(self.orders) < number and any(each.is_alive() for each in self._threads):
            if time.monotonic() > until:
                sys.exit(f"{len(self.orders)} of {number} purchases: {self.refused}")
            time.sleep(0.05)

    def _run(self, buyer: Buyer) -> None:
        try:
            while self._buy(buyer):
                pass
        except SystemExit as error:
            self.broken.append(str(error))

    def _buy(self, buyer: Buyer) -> bool:
        wanted = {"quantity": 1, "payment": {"method": "stripe"}}
        status, answer = buyer.insist(self.path, wanted)
        if status != 201:
            self.refused[str(answer.get("code"))] += 1
            # A moment too early; or nothing is left.
            time.sleep(0.2)
            return bool(answer.get("code") == "sale_not_started")
        confirm = f"payments/{answer['payment']['id']}/confirm/"
        status, told = buyer.insist(confirm, {"payment_method": "pm_card_visa"})
        if status != 202:
            self.broken.append(f"{confirm}: {status} {told}")
            return False
        self.orders.append((buyer, answer["order"]["number"]))
        return True


def rush(base: str, compose: Compose) -> str:
    """A replica and a worker die in the middle of a sale, and are started again."""
    slug = sale(base, compose)
    crowd, lost = Crowd(base, slug), {"web-1": 0.2, "worker-payments": 0.5}
    containers = {name: compose("ps", "--quiet", name).strip() for name in lost}
    crowd.start()
    for name, share in lost.items():
        crowd.wait_for(int(UNITS * share))
        # By its id: compose takes a second to think.
        subprocess.run(["docker", "kill", containers[name]], check=True, capture_output=True)
        print(f"  {name} is killed after {len(crowd.orders)} purchases", flush=True)
        time.sleep(1)
        subprocess.run(["docker", "start", containers[name]], check=True, capture_output=True)
    crowd.wait()
    if crowd.broken:
        sys.exit("\n".join(crowd.broken))
    took = max(buyer.until_paid(number) for buyer, number in crowd.orders)
    found = Shop(base).expect(200, "GET", f"flash-sales/{slug}/stock/")
    retries = sum(buyer.retries for buyer in crowd.buyers)
    if len(crowd.orders) != UNITS or found["remaining"] != 0:
        sys.exit(f"{len(crowd.orders)} of {UNITS} bought, {found}, {crowd.refused}")
    return (
        f"{UNITS} units to {BUYERS} buyers, {retries} retries; all paid {took:.1f} s after the last"
    )


def invariants(compose: Compose) -> str:
    """What a command in a container says once they hold: late work needs a moment."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            said = compose("exec", "-T", "web-2", "python", "manage.py", "check_invariants")
            return said.strip().splitlines()[-1]
        except subprocess.CalledProcessError as error:
            if time.monotonic() > until:
                sys.exit(f"{error.stdout}{error.stderr}")
            time.sleep(2)


def main(base: str, *words: str) -> None:
    def compose(*more: str) -> str:
        done = subprocess.run([*words, *more], capture_output=True, text=True, check=True)
        return done.stdout

    print(by_wallet(base), flush=True)
    print(by_coins(base, compose), flush=True)
    print(rush(base, compose), flush=True)
    print(invariants(compose), flush=True)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(error.cmd)}\n{error.stdout}{error.stderr}")
