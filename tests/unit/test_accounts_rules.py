"""How addresses and usernames are written."""

import pytest

from accounts.users import rules


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("  Joe@Example.ORG ", "joe@example.org"),
        ("ＪＯＥ@example.org", "joe@example.org"),
        ("joe@bücher.example", "joe@xn--bcher-kva.example"),
        ("joe@" + "ü" * 70 + ".example", "joe@" + "ü" * 70 + ".example"),
        ("nobody", "nobody"),
    ],
)
def test_an_address_is_stored_in_one_form(typed: str, stored: str) -> None:
    assert rules.email_normalise(typed) == stored


def test_normalising_twice_changes_nothing() -> None:
    once = rules.email_normalise(" Joe@Bücher.example")
    assert rules.email_normalise(once) == once


@pytest.mark.parametrize("name", ["joe", "Joe.Doe_9-x", "a" * 30])
def test_plain_usernames_are_valid(name: str) -> None:
    assert rules.username_valid(name)


@pytest.mark.parametrize(
    "name", ["jo", "a" * 31, "joe@x.org", "jöe", "joe doe", "joe\n", "", "jоe"]
)
def test_short_long_foreign_and_address_like_usernames_are_not(name: str) -> None:
    assert not rules.username_valid(name)


def test_a_derived_username_is_valid_and_new_each_time() -> None:
    made = {rules.username_derive() for _ in range(100)}
    assert len(made) == 100
    assert all(rules.username_valid(name) for name in made)


@pytest.mark.parametrize("text", ["", "jo\x01e@x.org", "joé@x.org", "a" * 255])
def test_what_no_stored_identifier_can_equal_is_not_looked_up(text: str) -> None:
    assert not rules.identifier_plausible(text)
