"""Payments in coins: invoices, credits, and the shop's hot account on the mock chain."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction

from common import clock, ids
from payments.chain import gateway
from payments.chain.node import services as node_services
from payments.chain.rules import transactions
from payments.chain.rules.hexes import keccak, text
from payments.crypto.models import CoinRefund, Credit
from payments.crypto.services import Terms, refund_send, refunds_follow
from payments.intake import services as machine
from payments.intake.models import Payment, Refund
from payments.intake.rules import Destination
from payments.intake.services import Capture
from payments.market import selectors as market
from payments.market.services import Rate
from shop.orders import services as orders
from shop.orders.services import NewOrder
from tests.factories.chain import ETHER, Node, Person, in_process
from tests.factories.shop import ProductFactory
from tests.factories.users import UserFactory

BUYER = Person(71).address
HOT = transactions.address_of(bytes.fromhex("5a" * 32))
DEEP = 12


@pytest.fixture
def chain(monkeypatch: pytest.MonkeyPatch) -> Node:
    """The mock chain without a socket, for the shop's own client as well; the shop has coins."""
    monkeypatch.setattr(gateway, "_post", lambda body: in_process(body)[1])
    node_services.chain_ensure()
    node = Node()
    node.fund(HOT, wei=1000 * ETHER, tokens=10**12)
    return node


def rate_of(token: str, rate: str) -> Rate:
    found = market.token_find(token)
    assert found is not None
    return Rate(found, Decimal(rate), "simulated", clock.now())


def invoiced(cents: int = 2000, *, token: str = "ETH", rate: str = "2345.67") -> Payment:
    """An unpaid payment in coins, of an order of its own."""
    terms = Terms(rate_of(token, rate), BUYER)
    with transaction.atomic():
        product = ProductFactory(stock=5, list_price=cents)
        [demands] = orders.baskets_price([({product.slug: 1}, None)])
        wanted = NewOrder(ids.order_number(), UserFactory().pk, demands)
        [order] = orders.orders_create(
            wanted=[wanted], now=clock.now(), hold_seconds=900, paid=False
        )
        payment = machine.payment_open(
            user_id=order.user_id,
            method="crypto",
            amount=cents,
            currency="USD",
            expires_at=order.expires_at,
            order=order,
            terms=terms,
        )
        orders.orders_take_stock([order], paid=False)
    return payment


def credit(payment: Payment, units: int, *, token: str = "", **more: Any) -> Credit:
    """Coins that the chain has, deep enough, and that nobody has counted."""
    number = Credit.objects.count() + 1
    return Credit.objects.create(
        invoice=payment.invoice,
        chain_id=settings.CHAIN_ID,
        tx_hash=text(keccak(f"{payment.uid}:{number}".encode())),
        ordinal=-1,
        token=token or payment.invoice.token,
        amount=units,
        block_number=1,
        block_hash=text(keccak(b"block")),
        **more,
    )


def counted(payment: Payment, units: int, cents: int, *, token: str = "") -> Credit:
    """Coins as the machine knows them: received, and counted as so many cents."""
    with transaction.atomic():
        found = credit(payment, units, token=token, value=cents, counted_at=clock.now())
        reference = f"{found.chain_id}:{found.tx_hash}:{found.ordinal}"
        capture = Capture(cents, payment.currency, reference)
        machine.payment_settle(payment_id=payment.pk, capture=capture)
    payment.refresh_from_db()
    return found


def paid_in_coins(cents: int = 2000, *, token: str = "ETH", rate: str = "2345.67") -> Payment:
    payment = invoiced(cents, token=token, rate=rate)
    counted(payment, payment.invoice.amount, cents)
    return payment


def ask_back(payment: Payment, cents: int | None = None, *, to: str = BUYER) -> Refund:
    """Staff send coins back; without an address into the wallet."""
    return machine.refund_request(
        payment_id=payment.pk,
        amount=cents,
        lines={},
        restock=False,
        reason="a test",
        actor_id=None,
        destination=Destination.ORIGINAL if to else Destination.WALLET,
        to_address=to,
    )


def sent(refund: Refund) -> CoinRefund:
    return CoinRefund.objects.get(refund=refund)


def hashes(coins: CoinRefund) -> Sequence[str]:
    return list(coins.attempts.order_by("pk").values_list("tx_hash", flat=True))


def after_blocks(node: Node, blocks: int = DEEP) -> int:
    node.mine(blocks)
    return refunds_follow()


def carried_out(node: Node, refund: Refund) -> Refund:
    refund_send(refund_id=refund.pk)
    after_blocks(node)
    refund.refresh_from_db()
    return refund
