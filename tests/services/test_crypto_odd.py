"""Coins that are not what was asked for, blocks that are replaced, transactions that are named."""

from dataclasses import replace
from typing import Any

import pytest
from django.db.models import Sum

from payments.chain.rules import transfers
from payments.checkout.services import orders_expire
from payments.crypto import services
from payments.crypto.models import Credit, Invoice, Scan
from payments.crypto.services import watcher
from payments.intake.models import Payment
from shop.flash_sales.selectors import unit_counts
from tests.factories.chain import Person
from tests.factories.coin_orders import (
    NEEDED,
    PAID,
    PENDING,
    Coins,
    coins,
    lamp,
    order,
    pass_deadline,
    shown,
    wallet,
)
from tests.factories.flash import live_run
from tests.factories.orders import get_payment, own_rollbacks, post, settled
from tests.factories.users import UserFactory, client_for

__all__ = ["coins", "lamp", "own_rollbacks", "settled"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "settled", "lamp")]


class TestWrong:
    @pytest.mark.proof(
        "Crypto: the wrong token",
        size="1 payment",
        control="tests/races/test_crypto_races.py::test_control_without_the_lock_and_the_key_coins_are_counted_twice",
    )
    def test_another_token_goes_back(self, api: Any, coins: Coins) -> None:
        made = order(api)
        coins.tokens(made["payment"]["crypto"]["address"], 60 * 10**6)
        coins.mine(2)
        assert shown(api, made)[1:] == ("refunded", "wrong_token")
        assert wallet(api) == "60.00"

    def test_another_token_beside_the_right_one_goes_back_alone(
        self, api: Any, coins: Coins
    ) -> None:
        made = order(api)
        coins.tokens(made["payment"]["crypto"]["address"], 60 * 10**6)
        coins.pay(made)
        coins.mine(2)
        assert shown(api, made)[:2] == PAID[:2]
        assert wallet(api) == "60.00"

    def test_a_token_nobody_knows_is_nothing(self, api: Any, coins: Coins, settings: Any) -> None:
        settings.CHAIN_CONTRACTS = {}
        made = order(api)
        coins.tokens(made["payment"]["crypto"]["address"], 60 * 10**6)
        coins.mine(2)
        assert shown(api, made) == PENDING

    @pytest.mark.proof(
        "Crypto: a transfer that fails in its block",
        size="1 payment",
        control="test_control_without_receipts_a_failed_transfer_is_money",
    )
    def test_a_transfer_that_fails_in_its_block_is_nothing(self, api: Any, coins: Coins) -> None:
        made = order(api)
        coins.node("mockchain_failTransaction", coins.pay(made))
        coins.mine(3)
        assert shown(api, made) == PENDING
        assert not Credit.objects.exists()

    def test_coins_from_inside_a_contract_are_found_in_the_balance(
        self, api: Any, coins: Coins
    ) -> None:
        made = order(api)
        coins.node("anvil_setBalance", made["payment"]["crypto"]["address"], hex(NEEDED))
        Scan.objects.update(balances_at=None)
        coins.mine()
        assert shown(api, made)[1] == "processing"
        Scan.objects.update(balances_at=None)
        coins.mine(2)
        assert shown(api, made) == PAID
        assert Credit.objects.get().ordinal == -2


class TestReorg:
    @pytest.mark.proof(
        "Crypto: a reorg after one confirmation",
        size="1 payment",
        control="tests/services/test_crypto_odd.py::test_control_without_walking_back_coins_stay_counted",
    )
    def test_after_one_confirmation_it_is_counted_where_it_comes_again(
        self, api: Any, coins: Coins
    ) -> None:
        made = order(api)
        coins.pay(made)
        coins.mine()
        coins.reorg(1)
        assert get_payment(api, made["payment"])["crypto"]["received_base_units"] == "0"
        assert shown(api, made)[1] == "processing"
        coins.mine(2)
        assert shown(api, made) == PAID
        assert Credit.objects.count() == 1

    def test_one_that_never_comes_again_fails_when_its_time_is_over(
        self, api: Any, coins: Coins, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from datetime import timedelta  # noqa: PLC0415

        from payments.crypto.services import decide  # noqa: PLC0415

        made = order(api)
        name = coins.pay(made)
        coins.mine()
        coins.reorg(1)
        coins.node("anvil_dropTransaction", name)
        coins.mine(2)
        pass_deadline(made)
        services.watch()
        assert shown(api, made)[1] == "processing"
        monkeypatch.setattr(decide, "VANISHED", timedelta(0))
        services.watch()
        orders_expire()
        assert shown(api, made)[:2] == ("expired", "failed")

    @pytest.mark.proof(
        "Crypto: a reorg after settlement, and the transaction comes again",
        size="1 payment",
        control="tests/services/test_crypto_odd.py::test_control_without_walking_back_coins_stay_counted",
    )
    def test_after_it_was_settled_it_waits_and_is_good_again(self, api: Any, coins: Coins) -> None:
        made = order(api)
        coins.pay(made)
        coins.mine(2)
        assert shown(api, made) == PAID
        coins.reorg(2)
        assert shown(api, made) == ("paid", "review", "reorged")
        coins.mine(1)
        assert shown(api, made)[:2] == PAID[:2]
        assert Payment.objects.get().captured == 10_000

    @pytest.mark.proof(
        "Crypto: a reorg after settlement for good",
        size="1 payment",
        control="tests/services/test_crypto_odd.py::test_control_without_walking_back_coins_stay_counted",
    )
    def test_after_it_was_settled_it_is_lost_after_a_day(
        self, api: Any, coins: Coins, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from datetime import timedelta  # noqa: PLC0415

        from payments.crypto.services import decide  # noqa: PLC0415

        made = order(api)
        name = coins.pay(made)
        coins.mine(2)
        coins.reorg(2)
        coins.node("anvil_dropTransaction", name)
        coins.mine(2)
        assert shown(api, made) == ("paid", "review", "reorged")
        monkeypatch.setattr(decide, "LOST", timedelta(0))
        services.watch()
        assert shown(api, made) == ("paid", "reversed", "reorged")


def test_control_without_receipts_a_failed_transfer_is_money(
    api: Any, coins: Coins, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who believes the block alone gives goods for coins that never moved."""
    proven = transfers.proven

    def believed(transaction: Any, receipt: Any) -> Any:
        return proven(transaction, replace(receipt, succeeded=True))

    monkeypatch.setattr(transfers, "proven", believed)
    made = order(api)
    coins.node("mockchain_failTransaction", coins.pay(made))
    coins.mine(3)
    assert shown(api, made) == PAID
    assert coins.node.balance(made["payment"]["crypto"]["address"]) == 0


def test_control_without_walking_back_coins_stay_counted(
    api: Any, coins: Coins, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who never looks back keeps goods sold for coins that nobody has."""
    made = order(api)
    name = coins.pay(made)
    coins.mine(2)
    monkeypatch.setattr(watcher, "_is_on_chain", lambda scan, head: True)
    coins.reorg(2)
    coins.node("anvil_dropTransaction", name)
    coins.mine(3)
    assert shown(api, made) == PAID
    assert coins.node.balance(made["payment"]["crypto"]["address"]) == 0


class TestSubmitted:
    def url(self, made: Any) -> str:
        return f"/api/v1/payments/{made['payment']['id']}/transactions/"

    def raw(self, coins: Coins, made: Any, **changes: Any) -> str:
        to = made["payment"]["crypto"]["address"]
        how = {"value": NEEDED, "nonce": coins.nonce(), **changes}
        return "0x" + coins.buyer.pays(to, **how).raw.hex()

    def test_a_raw_transaction_is_sent_and_pays(self, api: Any, coins: Coins) -> None:
        made = order(api)
        body = {"raw_transaction": self.raw(coins, made)}
        answer = post(api, self.url(made), body, key="once")
        assert (answer.status_code, answer.json()["status"]) == (202, "pending")
        assert post(api, self.url(made), body, key="once").json() == answer.json()
        assert post(api, self.url(made), body).status_code == 202
        coins.mine(2)
        assert shown(api, made) == PAID
        again = post(api, self.url(made), body)
        assert (again.status_code, again.json()["code"]) == (422, "already_credited")

    def test_a_named_transaction_pays(self, api: Any, coins: Coins) -> None:
        made = order(api)
        answer = post(api, self.url(made), {"tx_hash": coins.pay(made)})
        assert (answer.status_code, answer.json()["status"]) == (202, "pending")
        coins.mine(2)
        assert shown(api, made) == PAID

    def test_a_hash_that_the_chain_does_not_know_is_waited_for(
        self, api: Any, coins: Coins
    ) -> None:
        made = order(api)
        answer = post(api, self.url(made), {"tx_hash": "0x" + "ab" * 32})
        assert (answer.status_code, answer.json()["status"]) == (202, "unknown")
        assert shown(api, made) == PENDING

    @pytest.mark.proof(
        "Crypto: two orders name one transaction, before and after its block",
        size="1 payment",
        control="tests/races/test_crypto_races.py::test_control_without_the_lock_and_the_key_coins_are_counted_twice",
    )
    def test_one_transaction_does_not_pay_two_orders(self, api: Any, coins: Coins) -> None:
        first, second = order(api), order(api)
        name = coins.pay(first)
        answer = post(api, self.url(second), {"tx_hash": name})
        assert (answer.status_code, answer.json()["code"]) == (422, "wrong_recipient")
        coins.mine(2)
        answer = post(api, self.url(second), {"tx_hash": name})
        assert (answer.status_code, answer.json()["code"]) == (422, "already_credited")
        assert (shown(api, first), shown(api, second)) == (PAID, PENDING)

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"chain_id": 1}, "wrong_chain"),
            ({"value": 0}, "wrong_recipient"),
            ({"value": 10**30}, "insufficient_funds"),
        ],
    )
    def test_what_does_not_pay_is_refused_with_its_reason(
        self, api: Any, coins: Coins, changes: Any, code: str
    ) -> None:
        made = order(api)
        answer = post(api, self.url(made), {"raw_transaction": self.raw(coins, made, **changes)})
        assert (answer.status_code, answer.json()["code"]) == (422, code)

    def test_a_used_nonce_is_refused(self, api: Any, coins: Coins) -> None:
        made = order(api)
        coins.coins(Person(5).address, 1)
        coins.mine()
        answer = post(api, self.url(made), {"raw_transaction": self.raw(coins, made, nonce=0)})
        assert (answer.status_code, answer.json()["code"]) == (422, "nonce_too_low")

    @pytest.mark.parametrize(
        "body", [{"raw_transaction": "0x02"}, {"tx_hash": "0x12"}, {"raw_transaction": "hello"}]
    )
    def test_what_is_no_transaction_is_malformed(self, api: Any, coins: Coins, body: Any) -> None:
        answer = post(api, self.url(order(api)), body)
        assert (answer.status_code, answer.json()["code"]) == (422, "malformed")

    def test_another_users_payment_is_not_there(self, api: Any, coins: Coins) -> None:
        other = client_for(UserFactory())
        answer = post(other, self.url(order(api)), {"tx_hash": "0x" + "ab" * 32})
        assert answer.status_code == 404

    def test_a_card_payment_has_no_transactions(self, api: Any, no_stripe: None) -> None:
        body = {"lines": [{"product": "coin-lamp", "quantity": 1}], "payment": {"method": "stripe"}}
        made = post(api, "/api/v1/orders/", body).json()
        answer = post(api, self.url(made), {"tx_hash": "0x" + "ab" * 32})
        assert (answer.status_code, answer.json()["code"]) == (400, "not_crypto")


class TestRefused:
    def test_no_rate_no_order(self, api: Any, coins: Coins, settings: Any) -> None:
        settings.MARKET_PROVIDERS = []
        body = {"lines": [{"product": "coin-lamp", "quantity": 1}], "payment": {"method": "crypto"}}
        answer = post(api, "/api/v1/orders/", body)
        assert (answer.status_code, answer.json()["code"]) == (503, "rate_unavailable")
        assert answer.json()["methods"] == ["stripe", "wallet"]
        assert not Invoice.objects.exists()

    @pytest.mark.parametrize(
        ("payment", "code"),
        [
            ({"method": "crypto", "token": "DOGE"}, "unknown_token"),
            ({"method": "crypto", "token": "ETHH"}, "unknown_token"),
            ({"method": "crypto", "refund_address": "0x12"}, "invalid_address"),
            ({"method": "wallet", "refund_address": "0x12"}, "refund_address_without_crypto"),
            ({"method": "stripe", "token": "ETH"}, "token_without_crypto"),
        ],
    )
    def test_what_cannot_be_agreed_on(self, api: Any, payment: Any, code: str) -> None:
        body = {"lines": [{"product": "coin-lamp", "quantity": 1}], "payment": payment}
        answer = post(api, "/api/v1/orders/", body)
        found = answer.json()
        assert (answer.status_code, found["errors"][0]["code"]) == (400, code)


class TestElsewhere:
    """The other ways in which a payment is opened."""

    def test_an_order_changes_from_a_card_to_coins_and_back(
        self, api: Any, coins: Coins, no_stripe: None
    ) -> None:
        made = order(api)
        url = f"/api/v1/orders/{made['number']}/payments/"
        assert post(api, url, {"method": "stripe"}).status_code == 201
        changed = post(api, url, {"method": "crypto", "token": "USDC"}).json()
        assert changed["crypto"]["address"] != made["payment"]["crypto"]["address"]
        coins.pay(changed)
        coins.mine(2)
        assert shown(api, {**made, "payment": changed}) == PAID

    def test_coins_for_a_replaced_payment_are_late_money(
        self, api: Any, coins: Coins, no_stripe: None
    ) -> None:
        made = order(api)
        url = f"/api/v1/orders/{made['number']}/payments/"
        assert post(api, url, {"method": "stripe"}).status_code == 201
        coins.pay(made)
        coins.mine(2)
        assert shown(api, made)[:2] == PAID[:2]

    def test_a_flash_sale_is_paid_with_coins(self, api: Any, coins: Coins) -> None:
        run = live_run(units=3, price=10_000)
        url = f"/api/v1/flash-sales/{run.sale.slug}/purchases/"
        body = {"quantity": 1, "payment": {"method": "crypto"}}
        made = post(api, url, body)
        assert made.status_code == 201, made.content
        bought = made.json()
        assert bought["payment"]["crypto"]["amount_base_units"] == str(NEEDED)
        coins.pay(bought)
        coins.mine(2)
        assert shown(api, {**bought["order"], "payment": bought["payment"]}) == PAID
        assert unit_counts([run.pk])[run.pk].sold == 1


def test_every_coin_that_came_is_somewhere(api: Any, coins: Coins) -> None:
    """What was captured is what the chain has, at the locked rates."""
    for units in (NEEDED, NEEDED + 7, NEEDED * 3, NEEDED // 3):
        coins.pay(order(api), units)
    coins.mine(2)
    counted = Credit.objects.aggregate(n=Sum("value"))["n"]
    assert counted == Payment.objects.aggregate(n=Sum("captured"))["n"] == 50_000
