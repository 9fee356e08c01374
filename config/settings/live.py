"""What may not stand beside a Stripe key that takes real money. Reads no environment itself."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

LIVE: Final = ("sk_live_", "rk_live_")
# The mock chain, Sepolia, Holesky, Hoodi: anybody is given coins of these.
TEST_CHAINS: Final = frozenset({31337, 11155111, 17000, 560048})
SANDBOX_VENUES: Final = frozenset({"venue-sandbox"})
PUBLIC: Final = "try-out"
KEYS: Final = ("SECRET_KEY", "JWT_SIGNING_KEY", "DATABASE_URL")


def refuse_test_money(found: Mapping[str, Any], keys: Mapping[str, str]) -> None:
    """Raise ImproperlyConfigured where a live key would sell goods for money that is not.

    `found` are the settings by name, `keys` the secrets as the environment has them.
    """
    if not found["STRIPE_SECRET_KEY"].startswith(LIVE):
        return
    _refuse(
        found["MOCK_CHAIN"], "MOCK_CHAIN gives coins to everybody: set MOCK_CHAIN=0, CHAIN_HOT_KEY="
    )
    _refuse(
        found["CHAIN_XPUB"] and found["CHAIN_ID"] in TEST_CHAINS,
        "CHAIN_ID is a test chain's: set CHAIN_ID=1 for Ethereum, or CHAIN_XPUB= to take no coins",
    )
    _refuse("simulated" in found["MARKET_PROVIDERS"], "prices are made up: set MARKET_SIMULATED=0")
    _refuse(
        urlsplit(found["EXCHANGE_VENUE_URL"]).hostname in SANDBOX_VENUES,
        "EXCHANGE_VENUE_URL is the sandbox's: set your venue's, or EXCHANGE_VENUE_URL= for none",
    )
    _refuse(found["DEMO_ALLOWED"], "the demo's passwords are public: set DEMO_ALLOWED=0")
    for name in KEYS:
        _refuse(PUBLIC in keys[name], f"{name} is the public one of docker-compose.yml: set yours")


def _refuse(wrong: object, sentence: str) -> None:
    if wrong:
        raise ImproperlyConfigured(f"STRIPE_SECRET_KEY takes real money, and {sentence}.")
