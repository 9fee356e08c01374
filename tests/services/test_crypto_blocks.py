"""The watcher looks at every block, as it does in a shop: where the money ends then."""

from datetime import timedelta
from typing import Any

import pytest

from config import invariants
from payments.chain import gateway
from payments.checkout.services import orders_expire
from payments.crypto import services
from payments.crypto.models import Credit, Scan
from payments.crypto.services import decide, watcher
from payments.crypto.services.decide import Case
from payments.intake.models import Dispute, Payment, Refund
from tests.factories.chain import ETHER, Person
from tests.factories.coin_orders import (
    NEEDED,
    PAID,
    PENDING,
    Coins,
    coins,
    lamp,
    order,
    pass_deadline,
    refunded,
    shown,
    wallet,
)
from tests.factories.orders import own_rollbacks, post, settled

__all__ = ["coins", "lamp", "own_rollbacks", "settled"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "settled", "lamp")]


def blocks(coins: Coins, count: int) -> None:
    for _ in range(count):
        coins.mine()


def name(api: Any, made: Any, tx_hash: str) -> Any:
    url = f"/api/v1/payments/{made['payment']['id']}/transactions/"
    return post(api, url, {"tx_hash": tx_hash})


def lose(coins: Coins, tx_hash: str, depth: int, patch: pytest.MonkeyPatch) -> None:
    """A reorg takes a transaction out, and a day later it is not back."""
    coins.reorg(depth)
    coins.node("anvil_dropTransaction", tx_hash)
    coins.mine(depth)
    patch.setattr(decide, "LOST", timedelta(0))
    services.watch()


class TestNothingIsForgotten:
    def paid_twice(self, api: Any, coins: Coins) -> Any:
        made = order(api)
        coins.pay(made)
        blocks(coins, 2)
        coins.coins(made["payment"]["crypto"]["address"], NEEDED)
        blocks(coins, 2)
        return made

    def test_paid_twice(self, api: Any, coins: Coins) -> None:
        made = self.paid_twice(api, coins)
        assert shown(api, made) == PAID
        assert (wallet(api), refunded()) == ("100.00", [("wallet", 10_000, "succeeded")])
        blocks(coins, 1)
        # All of it is decided: nobody looks at it every few seconds from now on.
        assert not Credit.objects.filter(invoice__open=True).exists()

    def late_at_the_end_of_the_watch(self, api: Any, coins: Coins) -> Any:
        made = order(api)
        pass_deadline(made)
        orders_expire()
        coins.pay(made)
        blocks(coins, 1)
        pass_deadline(made, watched=False)
        blocks(coins, 2)
        return made

    def test_late_at_the_end_of_the_watch(self, api: Any, coins: Coins) -> None:
        assert shown(api, self.late_at_the_end_of_the_watch(api, coins))[:2] == PAID[:2]

    def test_dust_beside_the_money_is_let_be(self, api: Any, coins: Coins) -> None:
        made = order(api)
        coins.pay(made)
        blocks(coins, 2)
        coins.coins(made["payment"]["crypto"]["address"], 1)
        blocks(coins, 3)
        assert shown(api, made) == PAID
        assert not Credit.objects.filter(invoice__open=True).exists()

    def test_control_who_looks_away_too_soon_forgets_it(
        self, api: Any, coins: Coins, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(decide, "_is_undecided", lambda case: False)
        self.paid_twice(api, coins)
        assert (wallet(api), refunded()) == ("0.00", [])

    def test_coins_whose_receipt_is_not_there_yet(
        self, api: Any, coins: Coins, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = self.without_receipts_for_a_moment(api, coins, monkeypatch)
        assert shown(api, made) == PAID

    def without_receipts_for_a_moment(
        self, api: Any, coins: Coins, monkeypatch: pytest.MonkeyPatch
    ) -> Any:
        made, inclusion = order(api, token="USDC"), gateway.inclusion
        coins.pay(made)
        with monkeypatch.context() as patch:
            patch.setattr(gateway, "inclusion", lambda name: (inclusion(name)[0], None))
            coins.mine()
            assert not Credit.objects.exists()
        blocks(coins, 2)
        return made

    def test_control_a_block_that_counts_as_read_is_not_read_again(
        self, api: Any, coins: Coins, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        proofs = watcher.proofs
        monkeypatch.setattr(watcher, "proofs", lambda name: proofs(name) or [])
        made = self.without_receipts_for_a_moment(api, coins, monkeypatch)
        assert shown(api, made) == PENDING


class TestNothingIsCountedTwice:
    def named_after_the_balance(self, api: Any, coins: Coins) -> Any:
        """Coins of a day when nobody looked any more; first a wrong hash is named, then theirs."""
        made = order(api)
        pass_deadline(made, watched=False)
        orders_expire()
        tx_hash = coins.pay(made)
        # Another one is waited for: blocks are read.
        order(api)
        blocks(coins, 3)
        assert name(api, made, "0x" + "ab" * 32).json()["status"] == "unknown"
        Scan.objects.update(balances_at=None)
        blocks(coins, 3)
        assert name(api, made, tx_hash).json()["status"] == "included"
        blocks(coins, 1)
        return made

    def test_a_transfer_that_the_balance_has_shown(self, api: Any, coins: Coins) -> None:
        made = self.named_after_the_balance(api, coins)
        assert shown(api, made)[:2] == PAID[:2]
        assert Credit.objects.count() == 1
        assert wallet(api) == "0.00"

    def test_control_without_a_look_at_the_balance_it_counts_twice(
        self, api: Any, coins: Coins, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(watcher, "_was_in_balance", lambda invoice_id, found: False)
        self.named_after_the_balance(api, coins)
        assert wallet(api) == "100.00"

    def test_coins_from_inside_that_a_reorg_brings_again(self, api: Any, coins: Coins) -> None:
        made = order(api)
        address = made["payment"]["crypto"]["address"]
        coins.node("anvil_setBalance", address, hex(NEEDED))
        Scan.objects.update(balances_at=None)
        blocks(coins, 2)
        assert shown(api, made) == PAID
        coins.reorg(2)
        coins.node("anvil_setBalance", address, hex(NEEDED))
        Scan.objects.update(balances_at=None)
        blocks(coins, 3)
        assert shown(api, made)[:2] == PAID[:2]
        assert (Credit.objects.count(), refunded()) == (1, [])


class TestDust:
    def sent_one_wei(self, api: Any, coins: Coins) -> Any:
        made = order(api)
        coins.pay(made, 1)
        blocks(coins, 3)
        pass_deadline(made)
        services.watch()
        orders_expire()
        return made

    def test_less_than_a_cent_keeps_nothing(self, api: Any, coins: Coins) -> None:
        made = self.sent_one_wei(api, coins)
        assert shown(api, made)[:2] == ("expired", "expired")

    def test_control_any_unit_would_keep_the_stock_for_ever(
        self, api: Any, coins: Coins, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Case, "is_worth_a_cent", lambda case: any(c.active for c in case.right))
        made = self.sent_one_wei(api, coins)
        assert shown(api, made)[:2] == ("pending_payment", "processing")

    def test_a_little_in_each_block_does_not_put_it_off(self, api: Any, coins: Coins) -> None:
        made = order(api)
        coins.pay(made, NEEDED // 2)
        blocks(coins, 2)
        pass_deadline(made)
        coins.pay(made, 1)
        coins.mine()
        orders_expire()
        assert shown(api, made) == ("expired", "review", "underpaid")


class TestTakenBackForGood:
    """After a day without them; whatever else the payment has ends as it would have."""

    def test_of_an_underpaid_one(
        self, api: Any, coins: Coins, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = order(api)
        tx_hash = coins.pay(made, NEEDED // 2)
        blocks(coins, 2)
        pass_deadline(made)
        services.watch()
        orders_expire()
        assert shown(api, made)[1:] == ("review", "underpaid")
        lose(coins, tx_hash, 2, monkeypatch)
        assert shown(api, made)[1:] == ("reversed", "underpaid")
        assert wallet(api) == "0.00"
        assert invariants.breaches() == []

    def test_of_a_late_one_whose_refund_waits(
        self, api: Any, coins: Coins, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = order(api, refund_address=Person(9).address)
        pass_deadline(made)
        orders_expire()
        # Half of it is less than what is taken.
        first = coins.pay(made, NEEDED // 2)
        blocks(coins, 2)
        pass_deadline(made, watched=False)
        services.watch()
        assert Refund.objects.get().status == "pending"
        lose(coins, first, 2, monkeypatch)
        assert shown(api, made)[1] == "reversed"
        assert refunded() == [("original", 5_000, "failed")]
        assert invariants.breaches() == []

    def surplus_lost(self, api: Any, coins: Coins, monkeypatch: pytest.MonkeyPatch) -> Any:
        made = order(api, refund_address=Person(9).address)
        coins.pay(made)
        blocks(coins, 4)
        surplus = coins.coins(made["payment"]["crypto"]["address"], NEEDED)
        blocks(coins, 2)
        assert Refund.objects.get().status == "pending"
        lose(coins, surplus, 2, monkeypatch)
        return made

    def test_of_a_surplus(self, api: Any, coins: Coins, monkeypatch: pytest.MonkeyPatch) -> None:
        made = self.surplus_lost(api, coins, monkeypatch)
        assert shown(api, made)[:2] == PAID[:2]
        assert refunded() == [("original", 10_000, "failed")]
        assert Dispute.objects.get().status == "lost"
        assert invariants.breaches() == []

    def test_one_of_two_parts_of_a_refund(
        self, api: Any, coins: Coins, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What else it had goes back by itself."""
        made = order(api, refund_address=Person(9).address)
        coins.pay(made, NEEDED // 4)
        blocks(coins, 4)
        second = coins.pay(made, NEEDED // 4)
        blocks(coins, 2)
        pass_deadline(made)
        services.watch()
        orders_expire()
        pass_deadline(made, watched=False)
        services.watch()
        assert refunded() == [("original", 5_000, "pending")]
        lose(coins, second, 2, monkeypatch)
        assert refunded() == [("original", 5_000, "failed"), ("original", 2_500, "pending")]
        assert shown(api, made)[1] == "review"
        assert invariants.breaches() == []
        coins.node.fund(services_hot(), wei=ETHER)
        send_refunds(coins)
        assert shown(api, made)[1] == "refunded"
        assert coins.node.balance(Person(9).address) == NEEDED // 4
        assert invariants.breaches() == []


def services_hot() -> str:
    from payments.crypto.services.refunds import hot  # noqa: PLC0415

    return hot().address


def send_refunds(coins: Coins) -> None:
    from payments.crypto.services import following, refunds  # noqa: PLC0415

    for key in Refund.objects.filter(status="pending").values_list("pk", flat=True):
        refunds.refund_send(refund_id=key)
    coins.node.mine(3)
    following.refunds_follow()


class TestNodes:
    def behind(self, api: Any, coins: Coins, monkeypatch: pytest.MonkeyPatch) -> Any:
        """Behind a load balancer the next node may be a block or two behind the last."""
        made, block = order(api), gateway.block
        coins.pay(made)
        blocks(coins, 2)
        assert shown(api, made) == PAID
        last = Scan.objects.get().number - 2

        def of_another_node(which: Any) -> Any:
            wanted = last if which == "latest" else which
            return block(wanted) if wanted <= last else None

        with monkeypatch.context() as patch:
            patch.setattr(gateway, "block", of_another_node)
            services.watch()
        return made

    def test_one_that_is_behind_takes_nothing_back(
        self, api: Any, coins: Coins, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = self.behind(api, coins, monkeypatch)
        assert shown(api, made) == PAID
        assert not Dispute.objects.exists()

    def test_control_a_lower_head_would_be_a_reorg(
        self, api: Any, coins: Coins, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(watcher, "_is_behind", lambda scan, head: False)
        self.behind(api, coins, monkeypatch)
        assert Dispute.objects.exists()


def test_a_payment_has_what_it_needed_where_only_more_was_lost(
    api: Any, coins: Coins, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the surplus: by the outcome alone the buyer's good money would be reversed."""
    from payments.intake.services import disputes  # noqa: PLC0415

    monkeypatch.setattr(disputes, "_has_its_money", lambda payment, unapplied: False)
    made = TestTakenBackForGood().surplus_lost(api, coins, monkeypatch)
    assert shown(api, made)[1] == "reversed"
    assert Payment.objects.get().captured == 20_000
