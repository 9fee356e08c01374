"""A shop that takes coins, its chain and a buyer with a key, all in one process."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from common import clock
from payments.chain import gateway
from payments.crypto import services
from payments.crypto.models import Credit, Invoice
from payments.intake.models import Payment, Refund
from shop.inventory.models import Stock
from shop.orders.models import Order
from tests.factories.chain import ETHER, TOKEN, Node, Person, in_process
from tests.factories.market import priced
from tests.factories.orders import ORDERS, get_order, get_payment, post
from tests.factories.shop import ProductFactory
from tests.factories.wallet import WALLET

# At 2,000 USD a lamp of 100.00 is 0.05 ETH.
PRICE = "2000"

PENDING = ("pending_payment", "awaiting", None)
PAID = ("paid", "succeeded", None)
NEEDED = ETHER // 20


@dataclass
class Coins:
    """The chain, and somebody who pays on it."""

    node: Node
    buyer: Person

    def pay(self, payment: Any, units: int | None = None, **changes: Any) -> str:
        """A plain transfer of the invoice's token; by default of all that it asks for."""
        crypto = payment.get("crypto") or payment["payment"]["crypto"]
        amount = int(crypto["remaining_base_units"]) if units is None else units
        if crypto["contract"]:
            return self.tokens(crypto["address"], amount, **changes)
        return self.coins(crypto["address"], amount, **changes)

    def coins(self, to: str, amount: int, **changes: Any) -> str:
        return self._send(self.buyer.pays(to, value=amount, nonce=self.nonce(), **changes))

    def tokens(self, to: str, amount: int, **changes: Any) -> str:
        return self._send(self.buyer.sends_tokens(to, amount, nonce=self.nonce(), **changes))

    def nonce(self) -> int:
        return self.node.nonce(self.buyer.address, "pending")

    def _send(self, signed: Any) -> str:
        return self.node.send(signed)

    def mine(self, blocks: int = 1) -> None:
        """So many blocks more, and the watcher looks."""
        self.node.mine(blocks)
        services.watch()

    def reorg(self, depth: int) -> None:
        self.node("anvil_reorg", depth)
        services.watch()


@pytest.fixture
def coins(db: None, monkeypatch: pytest.MonkeyPatch) -> Coins:
    """ETH at 2,000 USD and USDC at 1; the buyer has plenty of both."""
    monkeypatch.setattr(gateway, "_post", lambda body: in_process(body)[1])
    priced("ethereum", PRICE)
    priced("usd-coin", "1")
    found = Coins(Node(), Person(4711))
    found.node.fund(found.buyer.address, wei=1000 * ETHER, tokens=10**12)
    found.node.mine()
    services.watch()
    return found


def order(api: Any, quantity: int = 1, *, slug: str = "coin-lamp", **payment: Any) -> Any:
    """An order that waits for coins; `token=`, `refund_address=`."""
    body = {
        "lines": [{"product": slug, "quantity": quantity}],
        "payment": {"method": "crypto", **payment},
    }
    answer = post(api, ORDERS, body)
    assert answer.status_code == 201, answer.content
    return answer.json()


def pass_deadline(order: Any, *, watched: bool = True) -> None:
    """The order's time is over, and with `watched=False` its invoice's as well."""
    now = clock.now()
    over = now - timedelta(minutes=1)
    payment = Payment.objects.get(uid=order["payment"]["id"])
    Payment.objects.filter(pk=payment.pk).update(expires_at=over)
    Order.objects.filter(pk=payment.order_id).update(expires_at=over)
    Credit.objects.filter(invoice=payment.pk).update(seen_at=over - timedelta(minutes=1))
    if not watched:
        Invoice.objects.filter(pk=payment.pk).update(watched_until=over)


def shown(api: Any, order: Any) -> tuple[str, str, str | None]:
    """Status of the order and of its payment, and why that is in review."""
    payment = get_payment(api, order["payment"])
    return get_order(api, order)["status"], payment["status"], payment["reason"]


@pytest.fixture
def lamp(coins: Coins) -> Any:
    """100.00 USD: 0.05 ETH, two confirmations."""
    return ProductFactory(slug="coin-lamp", list_price=10_000, stock=5)


def stock() -> tuple[int, int]:
    row = Stock.objects.get(product__slug="coin-lamp")
    return row.on_hand, row.held


def wallet(api: Any) -> str:
    rows = api.get(WALLET).json()["balances"]
    return rows[0]["available"] if rows else "0.00"


def refunded() -> list[tuple[str, int, str]]:
    return list(Refund.objects.order_by("pk").values_list("destination", "amount", "status"))


__all__ = ["ETHER", "TOKEN", "Coins", "coins", "order", "pass_deadline", "shown"]
