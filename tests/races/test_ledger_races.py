"""Many debits of one wallet at once, with the control that takes no lock."""

import time
from collections import Counter
from typing import Any

import pytest

from accounts.ledger import locks, selectors, services
from accounts.ledger.errors import InsufficientFunds
from accounts.ledger.models import Account, Posting, Transfer
from accounts.ledger.rules import AccountRef, Kind, customer, house, move
from common.fields import sums
from tests.factories.users import UserFactory
from tests.races.parallel import in_parallel

pytestmark = pytest.mark.django_db(transaction=True)

SALES, CLEARING = house(Kind.SALES, "USD"), house(Kind.STRIPE_CLEARING, "USD")


def wallet_of(amount: int) -> AccountRef:
    ref = customer(UserFactory().pk, "USD")
    entries = move(amount, debit=CLEARING, credit=ref)
    services.transfer_post(reference="deposit", kind="deposit", entries=entries)
    return ref


def debit(ref: AccountRef, amount: int, reference: str) -> Transfer:
    entries = move(amount, debit=ref, credit=SALES)
    return services.transfer_post(reference=reference, kind="sale", entries=entries)


def rush(ref: AccountRef, *, calls: int, amount: int) -> Counter[str]:
    found = in_parallel([lambda n=n: debit(ref, amount, f"sale:{n}") for n in range(calls)])
    return Counter(type(answer).__name__ for answer in found)


def cached_and_summed(ref: AccountRef) -> tuple[int, int]:
    account = Account.objects.get(key=ref.key)
    sides = sums(Posting.objects.filter(account=account), "side")
    return account.balance, sides["credit"] - sides.get("debit", 0)


@pytest.mark.proof(
    "One wallet, many debits",
    size="100 in parallel, money for 50",
    control="test_control_without_the_lock_the_cache_and_the_postings_part",
    runs=20,
)
def test_of_100_debits_of_10_from_500_exactly_50_go_through() -> None:
    ref = wallet_of(500)
    assert rush(ref, calls=100, amount=10) == {"Transfer": 50, "InsufficientFunds": 50}
    assert cached_and_summed(ref) == (0, 0)
    assert selectors.trial_balance()[0]["difference"] == 0


def test_control_without_the_lock_the_cache_and_the_postings_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unlocked(keys: Any) -> dict[str, Account]:
        found = {row.key: row for row in Account.objects.filter(key__in=keys)}
        time.sleep(0.05)
        return found

    monkeypatch.setattr(locks, "customers", unlocked)
    ref = wallet_of(500)
    through = rush(ref, calls=100, amount=10)["Transfer"]
    cached, summed = cached_and_summed(ref)
    assert through > 50
    assert cached != summed


def test_one_reference_moves_money_once_however_many_ask() -> None:
    ref = wallet_of(500)
    found = in_parallel([lambda: debit(ref, 10, "sale")] * 30)
    assert {answer.pk for answer in found} == {Transfer.objects.get(reference="sale").pk}
    assert cached_and_summed(ref) == (490, 490)


def test_a_new_wallet_is_opened_once() -> None:
    ref = customer(UserFactory().pk, "USD")

    def deposit(number: int) -> Transfer:
        entries = move(1, debit=CLEARING, credit=ref)
        return services.transfer_post(reference=f"d:{number}", kind="deposit", entries=entries)

    found = in_parallel([lambda n=n: deposit(n) for n in range(30)])
    assert Counter(type(answer).__name__ for answer in found) == {"Transfer": 30}
    assert cached_and_summed(ref) == (30, 30)


def test_two_wallets_paying_each_other_wait_in_one_order() -> None:
    one, two = customer(UserFactory().pk, "USD"), customer(UserFactory().pk, "USD")
    for ref in (one, two):
        entries = move(1_000, debit=CLEARING, credit=ref)
        services.transfer_post(reference=ref.key, kind="deposit", entries=entries)

    def swap(number: int) -> Transfer:
        source, target = (one, two) if number % 2 else (two, one)
        entries = move(10, debit=source, credit=target)
        return services.transfer_post(reference=f"s:{number}", kind="gift", entries=entries)

    found = in_parallel([lambda n=n: swap(n) for n in range(40)])
    assert Counter(type(answer).__name__ for answer in found) == {"Transfer": 40}
    assert cached_and_summed(one) == cached_and_summed(two) == (1_000, 1_000)


@pytest.mark.parametrize("rival", ["post", "void"])
def test_a_hold_is_decided_once(rival: str) -> None:
    ref = wallet_of(500)
    hold = services.hold_place(reference="hold", account=ref, amount=300)

    def post() -> object:
        return services.hold_post(hold_id=hold.pk, credit=SALES, kind="sale")

    def void() -> object:
        return services.hold_void(hold_id=hold.pk)

    found = in_parallel([post] * 10 + [post if rival == "post" else void] * 10)
    assert not [a for a in found if isinstance(a, InsufficientFunds)]
    cached, summed = cached_and_summed(ref)
    assert cached == summed
    assert cached in ((200,) if rival == "post" else (200, 500))
