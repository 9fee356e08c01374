"""Coins of the mock chain for the account that refunds are sent from."""

from typing import Final

from django.conf import settings

from payments.chain.node import selectors, services
from payments.chain.rules import transactions

WEI: Final = 10_000 * 10**18
DOLLARS: Final = 10_000_000 * 10**6


def hot_account_ensure() -> str | None:
    """Fill what is empty; the address, None where there is no mock chain, no key, or no need."""
    if not settings.MOCK_CHAIN or not settings.CHAIN_HOT_KEY:
        return None
    services.chain_ensure()
    key = bytes.fromhex(settings.CHAIN_HOT_KEY.removeprefix("0x"))
    address = transactions.address_of(key)
    found = selectors.account(address.lower())
    if not found.balance:
        services.balance_set(address=address.lower(), wei=WEI)
    if not found.tokens:
        services.tokens_set(address=address.lower(), amount=DOLLARS)
    return None if found.balance and found.tokens else address
