"""Production refuses to start with a missing or weak secret, and says which."""

import importlib
import re
import sys
from types import ModuleType

import pytest
from django.core.exceptions import ImproperlyConfigured

GOOD = {
    "SECRET_KEY": "kQ7vX2mK9pLw4RtY8sBn3Hd6Gf5cJ1uE0aVo8MiT2xQk7Ny4Zz",
    "JWT_SIGNING_KEY": "Hd6Gf5cJ1uE0aVo8MiT2xQk7Ny4ZzkQ7vX2mK9pLw4RtY8sBn3",
    "DATABASE_URL": "mysql://souk:secret@db:3306/souk",
    "REDIS_URL": "redis://redis:6379/0",
    "STRIPE_SECRET_KEY": "sk_test_own",
    "STRIPE_WEBHOOK_SECRET": "whsec_own,whsec_older",
    "ALLOWED_HOSTS": "shop.example.org",
    "PUBLIC_URL": "https://shop.example.org",
}
MODULES = tuple(
    f"config.settings.{name}"
    for name in (
        "base",
        "chain",
        "exchange",
        "live",
        "market",
        "operations",
        "servers",
        "production",
    )
)


@pytest.fixture(autouse=True)
def _fresh_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)


def load(monkeypatch: pytest.MonkeyPatch, **changes: str | None) -> ModuleType:
    for name, value in {**GOOD, **changes}.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    return importlib.import_module("config.settings.production")


def test_a_complete_environment_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch)
    assert settings.DATABASES["default"]["OPTIONS"]["isolation_level"] == "read committed"
    assert settings.STRIPE_API_BASE == "https://api.stripe.com"
    assert settings.STRIPE_WEBHOOK_SECRETS == ["whsec_own", "whsec_older"]
    assert settings.SECURE_SSL_REDIRECT
    assert not settings.DEMO_ALLOWED
    assert not settings.DEBUG


@pytest.mark.parametrize("name", [n for n in GOOD if n not in ("ALLOWED_HOSTS", "PUBLIC_URL")])
@pytest.mark.parametrize("value", [None, ""])
def test_what_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str | None
) -> None:
    with pytest.raises(ImproperlyConfigured, match=name):
        load(monkeypatch, **{name: value})


@pytest.mark.parametrize("name", ["SECRET_KEY", "JWT_SIGNING_KEY"])
@pytest.mark.parametrize("weak", ["short", "a" * 60, "django-insecure-" + "ab" * 30])
def test_a_weak_secret_is_named(monkeypatch: pytest.MonkeyPatch, name: str, weak: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"{name} is weak"):
        load(monkeypatch, **{name: weak})


def test_one_key_for_both_purposes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImproperlyConfigured, match="must differ"):
        load(monkeypatch, JWT_SIGNING_KEY=GOOD["SECRET_KEY"])


def test_the_sandbox_exists_only_where_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, STRIPE_SECRET_KEY="", STRIPE_SANDBOX_URL="http://sandbox:12111")
    assert settings.STRIPE_SANDBOX
    assert settings.STRIPE_API_BASE == "http://sandbox:12111"


def test_the_mock_chain_exists_only_where_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch)
    assert not settings.MOCK_CHAIN
    assert "mockchain-mine" not in settings.CELERY_BEAT_SCHEDULE


def test_a_named_mock_chain_is_mined_and_reached_by_its_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = "http://nginx:8080/mockchain/"
    settings = load(monkeypatch, MOCK_CHAIN="1", CHAIN_RPC_URL=url)
    assert (True, url) == (settings.MOCK_CHAIN, settings.CHAIN_RPC_URL)
    assert settings.CELERY_BEAT_SCHEDULE["mockchain-mine"]["schedule"] == 2.0


def test_a_mock_chain_that_mines_only_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    named = {"MOCK_CHAIN": "1", "CHAIN_RPC_URL": "http://nginx:8080/mockchain/"}
    settings = load(monkeypatch, **named, MOCK_CHAIN_BLOCK_SECONDS="0")
    assert "mockchain-mine" not in settings.CELERY_BEAT_SCHEDULE


def test_a_mock_chain_without_an_address_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImproperlyConfigured, match="CHAIN_RPC_URL"):
        load(monkeypatch, MOCK_CHAIN="1")


def test_the_public_hot_key_is_the_mock_chains_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    public = {"CHAIN_HOT_KEY": "7c" * 32}
    with pytest.raises(ImproperlyConfigured, match="CHAIN_HOT_KEY"):
        load(monkeypatch, **public)


def test_the_mock_chain_takes_the_public_hot_key(monkeypatch: pytest.MonkeyPatch) -> None:
    named = {"MOCK_CHAIN": "1", "CHAIN_RPC_URL": "http://nginx:8080/mockchain/"}
    assert load(monkeypatch, **named, CHAIN_HOT_KEY="7c" * 32).CHAIN_HOT_KEY == "7c" * 32


def test_a_key_of_ones_own_is_for_stripe_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, STRIPE_SANDBOX_URL="http://sandbox:12111")
    assert not settings.STRIPE_SANDBOX
    assert settings.STRIPE_API_BASE == "https://api.stripe.com"


def test_made_up_prices_exist_only_where_they_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch).MARKET_PROVIDERS == []


def test_named_ones_do(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch, MARKET_SIMULATED="1").MARKET_PROVIDERS == ["simulated"]


def test_made_up_prices_never_stand_beside_a_provider_unnamed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ImproperlyConfigured, match="MARKET_SIMULATED"):
        load(monkeypatch, MARKET_PROVIDERS="coingecko,simulated")


def test_keys_name_the_providers(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, COINMARKETCAP_API_KEY="k", MARKET_SIMULATED="1")
    assert settings.MARKET_PROVIDERS == ["coinmarketcap"]


def test_a_provider_that_is_not_known_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImproperlyConfigured, match="binance"):
        load(monkeypatch, MARKET_PROVIDERS="binance")


def test_there_is_no_exchange_venue_but_the_one_that_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert load(monkeypatch, EXCHANGE_VENUE_URL=None).EXCHANGE_VENUE_URL == ""
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    named = load(monkeypatch, EXCHANGE_VENUE_URL="https://venue.example.org/")
    assert named.EXCHANGE_VENUE_URL == "https://venue.example.org"


def test_a_misspelt_policy_of_the_exchange_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImproperlyConfigured, match="EXCHANGE_SHORT_POLICY"):
        load(monkeypatch, EXCHANGE_SHORT_POLICY="keep")


LIVE = {"STRIPE_SECRET_KEY": "sk_live_own"}
MOCK = {"MOCK_CHAIN": "1", "CHAIN_RPC_URL": "http://nginx:8080/mockchain/"}
TEST_MONEY = {
    "MOCK_CHAIN": MOCK,
    "CHAIN_ID": {"CHAIN_ID": "11155111", "CHAIN_XPUB": "xpub", "CHAIN_RPC_URL": "https://node"},
    "MARKET_SIMULATED": {"MARKET_SIMULATED": "1"},
    "EXCHANGE_VENUE_URL": {"EXCHANGE_VENUE_URL": "http://venue-sandbox:12113"},
    "DEMO_ALLOWED": {"DEMO_ALLOWED": "1"},
    "SECRET_KEY": {"SECRET_KEY": "try-out-secret-key-replace-me-Zq7vX2mK9pLw4RtY8sBn3Hd6"},
    "JWT_SIGNING_KEY": {"JWT_SIGNING_KEY": "try-out-signing-key-replace-me-Gf5cJ1uE0aVo8MiT2xQ"},
    "DATABASE_URL": {"DATABASE_URL": "mysql://souk_app:try-out-app@mysql:3306/souk"},
}


@pytest.mark.parametrize("key", ["sk_live_own", "rk_live_own"])
@pytest.mark.parametrize("name", TEST_MONEY)
def test_real_money_and_test_money_do_not_go_together(
    monkeypatch: pytest.MonkeyPatch, name: str, key: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"real money.*{name}|{name}.*real money"):
        load(monkeypatch, **TEST_MONEY[name], STRIPE_SECRET_KEY=key)


@pytest.mark.parametrize("name", TEST_MONEY)
def test_beside_a_test_key_each_may_be_tried(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert load(monkeypatch, **TEST_MONEY[name]).STRIPE_SECRET_KEY == "sk_test_own"


def test_real_money_beside_real_prices_and_a_real_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = {"CHAIN_ID": "1", "CHAIN_XPUB": "xpub", "CHAIN_RPC_URL": "https://node"}
    market = {"COINGECKO_API_KEY": "k", "MARKET_SIMULATED": "1"}
    settings = load(monkeypatch, **LIVE, **chain, **market, EXCHANGE_VENUE_URL="https://venue")
    assert settings.MARKET_PROVIDERS == ["coingecko"]


def redirected(settings: ModuleType, path: str) -> bool:
    return not any(re.search(each, path) for each in settings.SECURE_REDIRECT_EXEMPT)


def test_the_sandboxes_reach_the_shop_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    named = {"STRIPE_SECRET_KEY": "", "STRIPE_SANDBOX_URL": "http://sandbox:12111"}
    settings = load(monkeypatch, **named, **MOCK)
    assert settings.SECURE_SSL_REDIRECT
    found = [redirected(settings, path) for path in ("webhooks/stripe/", "mockchain/", "cart/")]
    assert found == [False, False, True]


def test_where_they_are_not_everybody_else_is_redirected(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch)
    assert redirected(settings, "webhooks/stripe/")
    assert redirected(settings, "mockchain/")


@pytest.mark.parametrize(
    ("streams", "source"),
    [
        ("", None),
        ("https://shop.example.org/", None),
        ("https://shop.example.org:8443", ["'self'", "https://shop.example.org:8443"]),
        ("https://streams.example.org/x", ["'self'", "https://streams.example.org"]),
    ],
)
def test_pages_may_listen_where_streams_are_served(
    monkeypatch: pytest.MonkeyPatch, streams: str, source: list[str] | None
) -> None:
    settings = load(monkeypatch, STREAM_URL=streams)
    assert settings.CONTENT_SECURITY_POLICY["DIRECTIVES"].get("connect-src") == source
