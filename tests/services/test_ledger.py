"""Transfers, holds, statements: once for each reference, whole, and never below zero."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from accounts.ledger import selectors, services
from accounts.ledger.errors import HoldExpired, InsufficientFunds, ReferenceReused
from accounts.ledger.models import Account, Hold, Posting, Transfer
from accounts.ledger.rules import HoldStatus, Kind, customer, house, move
from accounts.ledger.services import Purses, Spend
from common import clock
from common.append_only import Immutable
from common.errors import InvalidTransition

pytestmark = pytest.mark.django_db

CLEARING, SALES = house(Kind.STRIPE_CLEARING, "USD"), house(Kind.SALES, "USD")
HUGE = 10**60


@pytest.fixture
def wallet(customer: Any) -> Any:
    """The account of somebody who has paid 100 dollars in."""
    ref = _ref(customer)
    deposit(ref, 10_000, "deposit:1")
    return ref


def _ref(user: Any, currency: str = "USD") -> Any:
    return customer(user.pk, currency)


def deposit(ref: Any, amount: int, reference: str) -> Transfer:
    clearing = house(Kind.STRIPE_CLEARING, ref.currency)
    entries = move(amount, debit=clearing, credit=ref)
    return services.transfer_post(reference=reference, kind="deposit", entries=entries)


def pay(ref: Any, amount: int, reference: str = "sale:1") -> Transfer:
    entries = move(amount, debit=ref, credit=SALES)
    return services.transfer_post(reference=reference, kind="sale", entries=entries, about="x")


def balance(ref: Any) -> tuple[int, int]:
    row = Account.objects.get(key=ref.key)
    return row.available, row.held


def difference() -> set[int]:
    return {row["difference"] for row in selectors.trial_balance()}


class TestTransfers:
    def test_money_moves_and_nothing_is_created(self, wallet: Any) -> None:
        pay(wallet, 2_500)
        assert balance(wallet) == (7_500, 0)
        assert selectors.house_balances() == {
            ("stripe_clearing", "USD"): 10_000,
            ("sales", "USD"): -2_500,
        }
        assert difference() == {0}

    def test_the_same_reference_moves_once(self, wallet: Any) -> None:
        assert pay(wallet, 2_500) == pay(wallet, 2_500)
        assert balance(wallet) == (7_500, 0)

    def test_a_reference_stands_for_one_transfer(self, wallet: Any) -> None:
        pay(wallet, 2_500)
        with pytest.raises(ReferenceReused):
            pay(wallet, 2_501)

    def test_an_overdraft_is_refused_with_what_there_is(self, wallet: Any) -> None:
        with pytest.raises(InsufficientFunds) as refused:
            pay(wallet, 10_001)
        assert refused.value.extra == {"available": "100.00", "currency": "USD"}
        assert balance(wallet) == (10_000, 0)
        assert not Transfer.objects.filter(reference="sale:1").exists()

    def test_all_of_it_can_be_spent(self, wallet: Any) -> None:
        pay(wallet, 10_000)
        assert balance(wallet) == (0, 0)

    def test_sums_beyond_64_bits_are_exact(self, customer: Any) -> None:
        ref = _ref(customer, "ETH")
        deposit(ref, HUGE, "a")
        deposit(ref, HUGE + 1, "b")
        assert balance(ref) == (2 * HUGE + 1, 0)
        assert selectors.house_balances()["stripe_clearing", "ETH"] == 2 * HUGE + 1

    def test_the_database_refuses_an_overdraft_by_itself(self, wallet: Any) -> None:
        row = Account.objects.get(key=wallet.key)
        house_row = Account.objects.get(key=CLEARING.key)
        for wrong in ({"owner": None}, {"kind": Kind.SALES}):
            with pytest.raises(IntegrityError), transaction.atomic():
                Account.objects.filter(pk=row.pk).update(**wrong)
        with pytest.raises(IntegrityError), transaction.atomic():
            Account.objects.filter(pk=house_row.pk).update(available=1)

    def test_rows_are_never_changed_or_deleted(self, wallet: Any) -> None:
        transfer, posting = Transfer.objects.get(), Posting.objects.first()
        assert posting is not None
        for row in (transfer, posting):
            for act in (row.save, row.delete, type(row).objects.all().delete):
                with pytest.raises(Immutable):
                    act()
            with pytest.raises(Immutable):
                type(row).objects.update(currency="EUR")


class TestStatement:
    def test_newest_first_with_running_balances(self, wallet: Any, customer: Any) -> None:
        pay(wallet, 2_500)
        deposit(wallet, 1, "deposit:2")
        found = [(e.signed, e.balance) for e in selectors.entries_of(customer.pk).order_by("-pk")]
        assert found == [(1, 7_501), (-2_500, 7_500), (10_000, 10_000)]

    def test_balances_of_every_currency_and_of_usd(self, customer: Any) -> None:
        assert selectors.balances_of(customer.pk) == [
            {"currency": "USD", "available": 0, "held": 0}
        ]
        deposit(_ref(customer, "ETH"), 7, "eth")
        assert [row["currency"] for row in selectors.balances_of(customer.pk)] == ["USD", "ETH"]


def place(ref: Any, amount: int = 4_000, **more: Any) -> Hold:
    return services.hold_place(reference="hold:1", account=ref, amount=amount, **more)


class TestHolds:
    def test_a_hold_sets_aside_and_moves_nothing(self, wallet: Any) -> None:
        assert place(wallet) == place(wallet)
        assert balance(wallet) == (6_000, 4_000)
        assert Transfer.objects.count() == 1

    def test_held_money_cannot_be_spent(self, wallet: Any) -> None:
        place(wallet)
        with pytest.raises(InsufficientFunds):
            pay(wallet, 6_001)
        with pytest.raises(InsufficientFunds):
            services.hold_place(reference="hold:2", account=wallet, amount=6_001)

    def test_several_at_once_are_as_those_placed_alone(self, wallet: Any) -> None:
        alone = place(wallet, about="a coin")
        mine = Purses([wallet.owner_id], "USD")
        spends = [Spend(f"hold:{n}", wallet.owner_id, 1_000 * n, "a coin") for n in (2, 3)]
        for spend in spends:
            mine.take(spend.owner_id, spend.amount)
        keys = services.holds_place(purses=mine, spends=spends)
        assert balance(wallet) == (1_000, 9_000)
        facts = ("account_id", "status", "posted", "about", "expires_at", "decided_at")
        found = Hold.objects.filter(pk__in=keys.values())
        assert {*found.values_list("reference", "amount")} == {("hold:2", 2_000), ("hold:3", 3_000)}
        assert {*found.values_list(*facts)} == {
            *Hold.objects.filter(pk=alone.pk).values_list(*facts)
        }

    def test_several_at_once_hold_no_reference_again(self, wallet: Any) -> None:
        place(wallet)
        mine = Purses([wallet.owner_id], "USD")
        again = Spend("hold:1", wallet.owner_id, 4_000, "")
        with pytest.raises(IntegrityError), transaction.atomic():
            services.holds_place(purses=mine, spends=[again])
        assert balance(wallet) == (6_000, 4_000)

    @pytest.mark.parametrize("amount", [None, 4_000, 1_500])
    def test_posting_pays_in_full_or_in_part(self, wallet: Any, amount: int | None) -> None:
        hold = place(wallet)
        paid = amount or 4_000
        for _ in range(2):
            services.hold_post(hold_id=hold.pk, credit=SALES, kind="sale", amount=amount)
        assert balance(wallet) == (10_000 - paid, 0)
        hold.refresh_from_db()
        assert (hold.status, hold.posted) == (HoldStatus.POSTED, paid)

    def test_more_than_was_held_cannot_be_posted(self, wallet: Any) -> None:
        hold = place(wallet)
        with pytest.raises(InsufficientFunds):
            services.hold_post(hold_id=hold.pk, credit=SALES, kind="sale", amount=4_001)

    def test_a_void_gives_back_once(self, wallet: Any) -> None:
        hold = place(wallet)
        assert [services.hold_void(hold_id=hold.pk) for _ in range(2)] == [True, False]
        assert balance(wallet) == (10_000, 0)
        with pytest.raises(InvalidTransition):
            services.hold_post(hold_id=hold.pk, credit=SALES, kind="sale")

    def test_what_was_posted_cannot_be_voided_or_posted_otherwise(self, wallet: Any) -> None:
        hold = place(wallet)
        services.hold_post(hold_id=hold.pk, credit=SALES, kind="sale")
        with pytest.raises(InvalidTransition):
            services.hold_void(hold_id=hold.pk)
        with pytest.raises(InvalidTransition):
            services.hold_post(hold_id=hold.pk, credit=SALES, kind="sale", amount=1)

    def test_the_databases_clock_ends_a_hold(self, wallet: Any) -> None:
        hold = place(wallet, expires_at=clock.now() - timedelta(seconds=1))
        with pytest.raises(HoldExpired):
            services.hold_post(hold_id=hold.pk, credit=SALES, kind="sale")
        assert [services.holds_expire() for _ in range(2)] == [1, 0]
        assert balance(wallet) == (10_000, 0)

    def test_a_hold_with_time_left_stays(self, wallet: Any) -> None:
        place(wallet, expires_at=clock.now() + timedelta(minutes=1))
        assert services.holds_expire() == 0
