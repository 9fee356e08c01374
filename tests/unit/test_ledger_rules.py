"""A transfer is whole, or it is not written."""

import pytest

from accounts.ledger.rules import Entry, Kind, Unbalanced, customer, house, move, whole

SALES, CLEARING = house(Kind.SALES, "USD"), house(Kind.STRIPE_CLEARING, "USD")


def test_keys_name_the_owner_or_the_house() -> None:
    assert customer(42, "USD").key == "customer:42:USD"
    assert SALES.key == "house:sales:USD"


def test_entries_of_one_account_are_merged() -> None:
    entries = [Entry(CLEARING, 3), Entry(CLEARING, 4), Entry(SALES, -7)]
    assert whole(entries) == [Entry(SALES, -7), Entry(CLEARING, 7)]


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [Entry(SALES, 0)],
        [Entry(SALES, -7)],
        [Entry(CLEARING, 7), Entry(SALES, -6)],
        [Entry(CLEARING, 7), Entry(CLEARING, -7)],
        [Entry(CLEARING, 7), Entry(house(Kind.SALES, "ETH"), -7)],
    ],
)
def test_what_creates_loses_or_moves_nothing_is_refused(entries: list[Entry]) -> None:
    with pytest.raises(Unbalanced):
        whole(entries)


@pytest.mark.parametrize("amount", [0, -1])
def test_only_something_can_be_moved(amount: int) -> None:
    with pytest.raises(Unbalanced):
        move(amount, debit=CLEARING, credit=SALES)


def test_two_currencies_balance_each_for_itself() -> None:
    eth = house(Kind.CHAIN_CLEARING, "ETH"), house(Kind.SALES, "ETH")
    entries = [*move(5, debit=CLEARING, credit=SALES), *move(9, debit=eth[0], credit=eth[1])]
    assert sum(entry.amount for entry in whole(entries)) == 0
