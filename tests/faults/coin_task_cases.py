"""A world for every task of coins and of the mock chain."""

import uuid
from typing import Any

from payments.chain.node import services as node
from payments.chain.node.models import MockAccount, MockTransaction
from payments.chain.rules import addresses
from payments.crypto import services as crypto
from payments.crypto.models import CoinRefund
from payments.intake.models import Payment, Refund
from payments.market.models import CoinPrice
from tests.factories.chain import ETHER, Person
from tests.factories.coins import HOT, ask_back, paid_in_coins
from tests.factories.market import priced
from tests.faults.cases import Case, Prepare
from tests.races.parallel import order_of_one


def mine(sandbox: Any) -> Case:
    """A payment that waits on the mock chain; further blocks change nothing for it."""
    # The chain remembers the payer of the case before.
    number = int(uuid.uuid4())
    payer, payee = Person(number), Person(number + 1).address.lower()
    node.chain_ensure()
    node.balance_set(address=payer.address.lower(), wei=10 * ETHER)
    sent = MockTransaction.objects.filter(hash=node.transaction_send(payer.pays(payee).raw))
    return Case(
        lambda: (
            list(sent.values_list("succeeded", "index")),
            list(MockAccount.objects.filter(address=payee).values_list("balance", flat=True)),
        )
    )


def watch(sandbox: Any) -> Case:
    """Coins that are deep enough; however often the chain is read they are counted once."""
    # One of a case before may be of an hour ahead.
    CoinPrice.objects.all().delete()
    priced("ethereum", "2000")
    payment = order_of_one(method="crypto").payment
    number = int(uuid.uuid4())
    payer = Person(number)
    node.chain_ensure()
    node.balance_set(address=payer.address.lower(), wei=10 * ETHER)
    crypto.watch()
    to, amount = payment.invoice.address, payment.invoice.amount
    node.transaction_send(payer.pays(to, value=amount).raw)
    node.blocks_mine(count=3)
    found = Payment.objects.filter(pk=payment.pk)
    return Case(lambda: list(found.values_list("status", "captured")))


def coins_back() -> tuple[Refund, Case]:
    """A refund to an address that nobody has used, and a hot account that has enough for it."""
    node.chain_ensure()
    node.balance_set(address=HOT.lower(), wei=1000 * ETHER)
    payment = paid_in_coins()
    to = addresses.checksummed(uuid.uuid4().bytes + b"case")
    refund = ask_back(payment, to=to)

    def state() -> Any:
        coins = CoinRefund.objects.get(refund=refund)
        account = MockAccount.objects.filter(address=to.lower()).first()
        return (
            Refund.objects.get(pk=refund.pk).status,
            account.balance - coins.amount if account else None,
            (coins.nonce is None, coins.done_at is None, coins.failed),
            coins.attempts.count(),
        )

    return refund, Case(state, {"refund_id": refund.pk})


def send_coins(sandbox: Any) -> Case:
    return coins_back()[1]


def follow_coins(sandbox: Any) -> Case:
    """In a block and deep enough; nobody has looked yet."""
    refund, case = coins_back()
    crypto.refund_send(refund_id=refund.pk)
    node.blocks_mine(count=12)
    return Case(case.state)


COIN_CASES: dict[str, Prepare] = {
    "payments.chain.node.mine": mine,
    "payments.crypto.watch": watch,
    "payments.crypto.follow_refunds": follow_coins,
    "payments.crypto.send_refund": send_coins,
}
