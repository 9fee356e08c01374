"""Production: everything from the environment; refuses to start on a missing or weak secret."""

from django.core.exceptions import ImproperlyConfigured

from config.settings.base import *  # noqa: F403
from config.settings.base import (
    CELERY_BEAT_SCHEDULE,
    PUBLIC_URL,
    STRIPE_SECRET_KEY,
    STRIPE_WEBHOOK_SECRETS,
    env,
)
from config.settings.chain import (
    CHAIN_CONTRACTS,
    CHAIN_HOT_KEY,
    CHAIN_ID,
    CHAIN_RPC_URL,
    CHAIN_XPUB,
    MINING,
    MOCK_CONTRACTS,
    MOCK_HOT_KEY,
    MOCK_XPUB,
    WATCHING,
)
from config.settings.exchange import EXCHANGE_VENUE_URL
from config.settings.live import KEYS, refuse_test_money
from config.settings.market import MARKET_PROVIDERS
from config.settings.servers import mysql, redis_cache, replica

_MIN_LENGTH = 50
_MIN_SYMBOLS = 10


def _secret(name: str) -> str:
    value: str = env.str(name, default="")
    if not value:
        raise ImproperlyConfigured(f"{name} is not set.")
    made_up = value.startswith("django-insecure-")
    if made_up or len(value) < _MIN_LENGTH or len(set(value)) < _MIN_SYMBOLS:
        raise ImproperlyConfigured(
            f"{name} is weak: at least {_MIN_LENGTH} characters, {_MIN_SYMBOLS} different ones."
        )
    return value


def _required(name: str) -> str:
    value: str = env.str(name, default="")
    if not value:
        raise ImproperlyConfigured(f"{name} is not set.")
    return value


SECRET_KEY = _secret("SECRET_KEY")
JWT_SIGNING_KEY = _secret("JWT_SIGNING_KEY")
if JWT_SIGNING_KEY == SECRET_KEY:
    raise ImproperlyConfigured("JWT_SIGNING_KEY must differ from SECRET_KEY.")

# Migrations run as another database user: the application's own may not change tables.
DATABASES = {"default": mysql(_required("DATABASE_URL"))}
# For reads that may be a moment old (common/replicas.py); both need GTIDs.
DATABASE_REPLICA_URL = env.str("DATABASE_REPLICA_URL", default="")
if DATABASE_REPLICA_URL:
    DATABASES["replica"] = replica(DATABASE_REPLICA_URL)
    DATABASE_ROUTERS = ["common.replicas.Router"]
# Locks, sessions, gates and queues live in the first Redis, which evicts nothing. What may be lost
# at any time can have another one, that evicts what was not asked for lately.
CACHES = {"default": redis_cache(_required("REDIS_URL"))}
CACHE_REDIS_URL = env.str("CACHE_REDIS_URL", default="")
if CACHE_REDIS_URL:
    CACHES["volatile"] = redis_cache(CACHE_REDIS_URL)
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default=env.str("REDIS_URL"))
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 120,
    # By default a request that finds Redis down tries for six seconds; the outbox sends later.
    "max_retries": 0,
    "socket_connect_timeout": 1,
    "socket_timeout": 5,
}

# The sandbox takes any card: it exists here only where its address is named, and a key of one's
# own is always for Stripe itself.
STRIPE_SANDBOX_URL = env.str("STRIPE_SANDBOX_URL", default="")
STRIPE_SANDBOX = bool(STRIPE_SANDBOX_URL) and not STRIPE_SECRET_KEY
if STRIPE_SANDBOX:
    STRIPE_SECRET_KEY = "sk_test_sandbox"  # noqa: S105  # nosec B105  # opens the sandbox alone
    STRIPE_PUBLISHABLE_KEY = "pk_test_sandbox"
    STRIPE_API_BASE = STRIPE_SANDBOX_URL
if not STRIPE_SECRET_KEY:
    raise ImproperlyConfigured("STRIPE_SECRET_KEY is not set.")
if not STRIPE_WEBHOOK_SECRETS:
    raise ImproperlyConfigured("STRIPE_WEBHOOK_SECRET is not set.")
if not STRIPE_SANDBOX and any("try_out" in secret for secret in STRIPE_WEBHOOK_SECRETS):
    raise ImproperlyConfigured("STRIPE_WEBHOOK_SECRET is the public one of docker-compose.yml.")

# Made-up prices take money for goods: only where they are named, and never beside a real provider.
MARKET_SIMULATED = env.bool("MARKET_SIMULATED", default=False)
if MARKET_PROVIDERS == ["simulated"] and not MARKET_SIMULATED:
    MARKET_PROVIDERS = []
if "simulated" in MARKET_PROVIDERS and not MARKET_SIMULATED:
    raise ImproperlyConfigured(
        "MARKET_PROVIDERS has simulated prices; MARKET_SIMULATED is not set."
    )

# It gives coins to whoever asks: it exists here only where it is named, and reached by its address.
MOCK_CHAIN = env.bool("MOCK_CHAIN", default=False)
if MOCK_CHAIN:
    if not CHAIN_RPC_URL:
        raise ImproperlyConfigured("CHAIN_RPC_URL is not set: MOCK_CHAIN needs its own address.")
    CHAIN_XPUB = CHAIN_XPUB or MOCK_XPUB
    CHAIN_CONTRACTS = MOCK_CONTRACTS
    CELERY_BEAT_SCHEDULE |= MINING
elif CHAIN_XPUB == MOCK_XPUB:
    raise ImproperlyConfigured("CHAIN_XPUB is the mock chain's, whose private keys everybody has.")
if not MOCK_CHAIN and CHAIN_HOT_KEY == MOCK_HOT_KEY:
    raise ImproperlyConfigured("CHAIN_HOT_KEY is the public one of docker-compose.yml.")
if CHAIN_XPUB and not CHAIN_RPC_URL:
    raise ImproperlyConfigured("CHAIN_RPC_URL is not set: without a node no coins are seen.")
if CHAIN_XPUB:
    CELERY_BEAT_SCHEDULE |= WATCHING

DEMO_ALLOWED = env.bool("DEMO_ALLOWED", default=False)

# docker compose names sandboxes so that the shop can be tried; beside a live key each is a way to
# goods without money.
refuse_test_money(
    {
        "STRIPE_SECRET_KEY": STRIPE_SECRET_KEY,
        "MOCK_CHAIN": MOCK_CHAIN,
        "CHAIN_XPUB": CHAIN_XPUB,
        "CHAIN_ID": CHAIN_ID,
        "MARKET_PROVIDERS": MARKET_PROVIDERS,
        "EXCHANGE_VENUE_URL": EXCHANGE_VENUE_URL,
        "DEMO_ALLOWED": DEMO_ALLOWED,
    },
    {name: _required(name) for name in KEYS},
)

CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
# Probes come from inside, over plain HTTP.
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$", r"^metrics$"]
# And so do the sandboxes and who asks them, where they are named. Neither has cookies: one believes
# a signature alone, the other anybody.
if STRIPE_SANDBOX:
    SECURE_REDIRECT_EXEMPT += [r"^webhooks/stripe/$"]
if MOCK_CHAIN:
    SECURE_REDIRECT_EXEMPT += [r"^mockchain/$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_SECURE = SECURE_SSL_REDIRECT
CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT
LANGUAGE_COOKIE_SECURE = SECURE_SSL_REDIRECT
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
EMAIL_CONFIG = env.email_url("EMAIL_URL", default="consolemail://")
vars().update(EMAIL_CONFIG)
