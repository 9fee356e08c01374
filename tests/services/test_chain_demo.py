"""The demo's hot account has coins of the mock chain, and only there."""

from typing import Any

import pytest

from config.chain_demo import DOLLARS, WEI, hot_account_ensure
from payments.chain.node.models import MockAccount
from payments.chain.node.services import balance_set
from tests.factories.coins import HOT

pytestmark = pytest.mark.django_db


def test_an_empty_hot_account_is_filled_once() -> None:
    assert hot_account_ensure() == HOT
    found = MockAccount.objects.get(address=HOT.lower())
    assert (found.balance, found.tokens) == (WEI, DOLLARS)
    balance_set(address=HOT.lower(), wei=5)
    assert hot_account_ensure() is None
    found.refresh_from_db()
    assert found.balance == 5


@pytest.mark.parametrize("changes", [{"CHAIN_HOT_KEY": ""}, {"MOCK_CHAIN": False}])
def test_without_a_key_or_a_mock_chain_nothing_is_given(settings: Any, changes: Any) -> None:
    for name, value in changes.items():
        setattr(settings, name, value)
    assert hot_account_ensure() is None
    assert not MockAccount.objects.exists()
