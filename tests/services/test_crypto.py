"""Each way in which coins may come, over HTTP and through the mock chain: where the money ends."""

from typing import Any

import pytest
from celery import current_app

from payments.chain import gateway
from payments.chain.errors import WrongChain
from payments.checkout.services import orders_expire
from payments.crypto import services
from payments.crypto.models import Credit
from payments.intake.models import Payment, Refund
from shop.inventory.services import stock_adjust
from tests.factories.chain import TOKEN, Person
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
    stock,
    wallet,
)
from tests.factories.market import priced
from tests.factories.orders import get_payment, own_rollbacks, post, settled
from tests.factories.wallet import WALLET, balance

__all__ = ["coins", "lamp", "own_rollbacks", "settled"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "settled", "lamp")]


class TestPaid:
    def test_coins_are_counted_when_they_are_deep_enough(self, api: Any, coins: Coins) -> None:
        made = order(api)
        crypto = made["payment"]["crypto"]
        assert (crypto["amount"], crypto["amount_base_units"]) == (
            "0.050000000000000000",
            str(NEEDED),
        )
        assert crypto["payment_uri"] == f"ethereum:{crypto['address']}@31337?value={NEEDED}"
        coins.pay(made)
        coins.mine()
        assert shown(api, made) == ("pending_payment", "processing", None)
        seen = get_payment(api, made["payment"])["crypto"]
        assert (seen["confirmations"], seen["received_base_units"]) == (1, str(NEEDED))
        coins.mine()
        assert shown(api, made) == PAID
        coins.mine(3)
        assert Credit.objects.count() == 1

    def test_tokens_pay_as_well(self, api: Any, coins: Coins) -> None:
        made = order(api, token="USDC")
        crypto = made["payment"]["crypto"]
        assert (crypto["contract"], crypto["amount_base_units"]) == (TOKEN, str(100 * 10**6))
        coins.pay(made)
        coins.mine(2)
        assert shown(api, made) == PAID

    @pytest.mark.proof(
        "Crypto: two partial payments",
        size="1 payment",
        control="tests/races/test_crypto_races.py::test_control_without_the_lock_and_the_key_coins_are_counted_twice",
    )
    def test_two_parts_within_the_time(self, api: Any, coins: Coins) -> None:
        made = order(api)
        coins.pay(made, NEEDED - 1)
        coins.mine(2)
        assert shown(api, made)[1] == "processing"
        rest = get_payment(api, made["payment"])["crypto"]
        assert rest["remaining_base_units"] == "1"
        assert rest["payment_uri"].endswith("?value=1")
        coins.pay(made, 1)
        coins.mine(2)
        assert shown(api, made) == PAID
        assert Payment.objects.get().captured == 10_000

    def test_a_deposit(self, api: Any, coins: Coins) -> None:
        body = {"amount": "25.00", "payment": {"method": "crypto", "token": "USDC"}}
        made = post(api, f"{WALLET}deposits/", body).json()
        coins.pay(made)
        coins.mine(2)
        assert balance(api) == ("25.00", "0.00")

    def test_a_large_payment_waits_for_more_blocks(self, api: Any, coins: Coins) -> None:
        made = order(api, 2)
        assert made["payment"]["crypto"]["confirmations_required"] == 6
        coins.pay(made)
        coins.mine(5)
        assert shown(api, made)[1] == "processing"
        coins.mine()
        assert shown(api, made) == PAID

    def test_each_payment_has_its_own_address(self, api: Any, coins: Coins) -> None:
        first, second = order(api), order(api)
        assert first["payment"]["crypto"]["address"] != second["payment"]["crypto"]["address"]
        coins.pay(second)
        coins.mine(2)
        assert (shown(api, first), shown(api, second)) == (PENDING, PAID)


class TestTooMuch:
    @pytest.mark.proof(
        "Crypto: 1.01 of the amount",
        size="1 payment",
        control="tests/races/test_crypto_races.py::test_control_without_the_lock_and_the_key_coins_are_counted_twice",
    )
    def test_what_is_too_much_goes_into_the_wallet(self, api: Any, coins: Coins) -> None:
        made = order(api)
        coins.pay(made, NEEDED * 101 // 100)
        coins.mine(2)
        assert shown(api, made)[:2] == PAID[:2]
        assert wallet(api) == "1.00"

    @pytest.mark.proof(
        "Crypto: paid twice",
        size="1 payment",
        control="tests/races/test_crypto_races.py::test_control_without_the_lock_and_the_key_coins_are_counted_twice",
    )
    def test_paid_twice(self, api: Any, coins: Coins) -> None:
        made = order(api)
        coins.pay(made)
        coins.mine(2)
        coins.coins(made["payment"]["crypto"]["address"], NEEDED)
        coins.mine(2)
        assert shown(api, made) == PAID
        assert (wallet(api), refunded()) == ("100.00", [("wallet", 10_000, "succeeded")])

    def test_a_named_address_gets_it_back(self, api: Any, coins: Coins) -> None:
        made = order(api, refund_address=Person(9).address)
        coins.pay(made)
        coins.mine(2)
        coins.coins(made["payment"]["crypto"]["address"], NEEDED)
        coins.mine(2)
        found = Refund.objects.get()
        assert (found.destination, found.to_address) == ("original", Person(9).address)


class TestTooLittle:
    @pytest.mark.proof(
        "Crypto: 0.99 of the amount",
        size="1 payment",
        control="tests/races/test_crypto_races.py::test_control_without_the_lock_and_the_key_coins_are_counted_twice",
    )
    def test_almost_all_of_it_is_enough_when_the_time_is_over(self, api: Any, coins: Coins) -> None:
        made = order(api)
        coins.pay(made, NEEDED * 99 // 100)
        coins.mine(2)
        assert shown(api, made)[1] == "processing"
        pass_deadline(made)
        services.watch()
        assert shown(api, made)[:2] == PAID[:2]

    def test_the_rest_may_come_later(self, api: Any, coins: Coins) -> None:
        made = order(api)
        coins.pay(made, NEEDED // 2)
        coins.mine(2)
        pass_deadline(made)
        services.watch()
        orders_expire()
        assert shown(api, made) == ("expired", "review", "underpaid")
        assert stock() == (5, 0)
        coins.pay({"crypto": get_payment(api, made["payment"])["crypto"]})
        coins.mine(2)
        assert shown(api, made)[:2] == PAID[:2]
        assert stock() == (4, 0)

    def test_what_nobody_adds_to_goes_back_after_a_day(self, api: Any, coins: Coins) -> None:
        made = order(api)
        coins.pay(made, NEEDED // 2)
        coins.mine(2)
        pass_deadline(made)
        services.watch()
        orders_expire()
        pass_deadline(made, watched=False)
        services.watch()
        assert shown(api, made) == ("expired", "refunded", "underpaid")
        assert wallet(api) == "50.00"

    def test_the_rest_comes_when_the_stock_is_gone(self, api: Any, coins: Coins, lamp: Any) -> None:
        made = order(api)
        coins.pay(made, NEEDED // 2)
        coins.mine(2)
        pass_deadline(made)
        services.watch()
        orders_expire()
        stock_adjust(product_id=lamp.pk, delta=-5, reason="broken", actor_id=None)
        coins.pay({"crypto": get_payment(api, made["payment"])["crypto"]})
        coins.mine(2)
        assert shown(api, made)[:2] == ("expired", "refunded")
        assert wallet(api) == "100.00"


class TestLate:
    @pytest.fixture
    def late(self, api: Any, coins: Coins) -> Any:
        made = order(api)
        pass_deadline(made)
        orders_expire()
        assert shown(api, made)[:2] == ("expired", "expired")
        return made

    def test_it_buys_what_is_still_there(self, api: Any, coins: Coins, late: Any) -> None:
        coins.pay(late)
        coins.mine(2)
        assert shown(api, late)[:2] == PAID[:2]

    def test_it_goes_back_where_the_coin_has_lost_its_value(
        self, api: Any, coins: Coins, late: Any
    ) -> None:
        priced("ethereum", "1959")
        coins.pay(late)
        coins.mine(2)
        assert shown(api, late)[:2] == ("expired", "refunded")
        assert wallet(api) == "100.00"

    def test_within_two_percent_it_is_taken(self, api: Any, coins: Coins, late: Any) -> None:
        priced("ethereum", "1960")
        coins.pay(late)
        coins.mine(2)
        assert shown(api, late)[:2] == PAID[:2]

    def test_without_a_rate_it_waits(
        self, api: Any, coins: Coins, late: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from payments.crypto.services import decide  # noqa: PLC0415
        from payments.market.errors import RateUnavailable  # noqa: PLC0415

        def unavailable(**_: Any) -> Any:
            raise RateUnavailable

        with monkeypatch.context() as patch:
            patch.setattr(decide, "rate_for_checkout", unavailable)
            coins.pay(late)
            coins.mine(3)
            assert shown(api, late)[:2] == ("expired", "expired")
        services.watch()
        assert shown(api, late)[:2] == PAID[:2]

    def test_nobody_looks_after_a_day_until_the_transaction_is_named(
        self, api: Any, coins: Coins, late: Any
    ) -> None:
        pass_deadline(late, watched=False)
        name = coins.pay(late)
        other = order(api)
        coins.mine(2)
        assert shown(api, late)[:2] == ("expired", "expired")
        url = f"/api/v1/payments/{late['payment']['id']}/transactions/"
        assert post(api, url, {"tx_hash": name}).json()["status"] == "included"
        services.watch()
        assert shown(api, late)[:2] == PAID[:2]
        assert shown(api, other) == PENDING


def test_coins_of_another_chain_are_not_read(
    api: Any, coins: Coins, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that was set by mistake: its coins may be worth nothing."""
    made = order(api)
    coins.pay(made)
    coins.node.mine(3)
    with monkeypatch.context() as patch:
        patch.setattr(gateway, "chain_id", lambda: 11155111)
        with pytest.raises(WrongChain):
            services.watch()
        current_app.tasks["payments.crypto.watch"]()
    assert shown(api, made)[:2] == ("pending_payment", "awaiting")
    services.watch()
    assert shown(api, made) == PAID
