"""Numbers of attempts, apart from their counting."""

import pytest

from accounts.throttling.rules import LONGEST_WAIT, allowance, digest, wait
from accounts.users.rules import identifier_normalise


def test_a_process_on_its_own_lets_half_as_many_through() -> None:
    assert allowance(10, factor=1, alone=False) == 10
    assert allowance(10, factor=1, alone=True) == 5
    assert allowance(10, factor=1000, alone=False) == 10_000


def test_one_attempt_is_always_left() -> None:
    assert allowance(1, factor=0.1, alone=True) == 1


def test_the_wait_grows_to_a_minute_and_no_further() -> None:
    assert [wait(over) for over in (1, 2, 5, 6, 7, 10**9)] == [2, 4, 32, 60, 60, LONGEST_WAIT]


def test_a_key_shows_no_address_and_takes_any_text() -> None:
    for text in ("joe@x.org", "", "a b\x00\n" * 1000, "é"):
        assert len(digest(text)) == 32
        assert digest(text).isalnum()


@pytest.mark.parametrize(
    ("typed", "counted"),
    [("JOE@x.org ", "joe@x.org"), ("ｊoe@x.org", "joe@x.org"), ("Joe", "joe"), ("joe", "joe")],
)
def test_an_account_is_counted_by_one_name_however_it_is_typed(typed: str, counted: str) -> None:
    assert identifier_normalise(typed) == counted
