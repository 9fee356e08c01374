"""Tests: real MySQL and Redis by TEST_DATABASE_URL and TEST_REDIS_URL, else SQLite (unit only)."""

from config.settings.base import *  # noqa: F403
from config.settings.base import env
from config.settings.chain import MOCK_CONTRACTS, MOCK_XPUB
from config.settings.servers import mysql, redis_cache

SECRET_KEY = "a-secret-key-for-tests-only-0123456789-abcdefghijklmnop"  # noqa: S105  # nosec B105  # tests
JWT_SIGNING_KEY = "a-signing-key-for-tests-only-0123456789-abcdefghijklmnop"

TEST_DATABASE_URL = env.str("TEST_DATABASE_URL", default="")
TEST_REDIS_URL = env.str("TEST_REDIS_URL", default="")

DATABASES = {
    "default": mysql(TEST_DATABASE_URL)
    if TEST_DATABASE_URL
    else {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
}
# A database of its own for each parallel test process: clearing a cache empties its database.
_WORKER = env.str("PYTEST_XDIST_WORKER", default="gw0").removeprefix("gw")
CACHES = {
    "default": redis_cache(TEST_REDIS_URL.removesuffix("/0") + "/" + _WORKER)
    if TEST_REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}
if TEST_REDIS_URL:
    # On a machine that is busy with tests an answer takes longer than a shop would wait for it.
    CACHES["default"]["OPTIONS"] |= {"SOCKET_CONNECT_TIMEOUT": 5, "SOCKET_TIMEOUT": 5}
CELERY_BROKER_URL = "memory://"

# Argon2 at full strength takes 50 ms a user; its use in the real settings is tested by itself.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

STRIPE_SECRET_KEY = "sk_test_sandbox"  # noqa: S105  # nosec B105  # opens the sandbox alone
STRIPE_PUBLISHABLE_KEY = "pk_test_sandbox"
STRIPE_WEBHOOK_SECRETS = ["whsec_tests"]
STRIPE_SANDBOX = True
STRIPE_API_BASE = "http://127.0.0.1:1"
# Nothing here asks a provider of prices, whatever keys the environment has.
MARKET_PROVIDERS = ["simulated"]
CHAIN_RPC_URL = "http://127.0.0.1:1/mockchain/"
MOCK_CHAIN = True
CHAIN_XPUB, CHAIN_CONTRACTS = MOCK_XPUB, MOCK_CONTRACTS
CHAIN_HOT_KEY = "5a" * 32
EXCHANGE_VENUE_URL = ""
EXCHANGE_VENUE_TIMEOUT_SECONDS = 10.0
DEMO_ALLOWED = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
STATIC_ROOT = None
# Tests of either set it themselves.
SHELF_SECONDS = 0
RATE_LIMIT_FACTOR = 0
