"""No server, no key, no compiler: SQLite, an in-process worker and the sandboxes."""

import json
import secrets
from pathlib import Path

from config.settings.base import *  # noqa: F403
from config.settings.base import (
    BASE_DIR,
    CELERY_BEAT_SCHEDULE,
    FLASH_RISK,
    LOGGING,
    PUBLIC_URL,
    env,
)
from config.settings.chain import (
    CHAIN_CONTRACTS,
    CHAIN_HOT_KEY,
    CHAIN_RPC_URL,
    CHAIN_XPUB,
    MINING,
    MOCK_CONTRACTS,
    MOCK_XPUB,
    WATCHING,
)
from config.settings.exchange import EXCHANGE_VENUE_URL

STATE_DIR = Path(env.str("SOUK_STATE_DIR", default=str(BASE_DIR / "var")))


def _own_secrets(path: Path) -> dict[str, str]:
    """Secrets of this installation, made on the first start: sign-ins survive a restart."""
    found = json.loads(path.read_text()) if path.exists() else {}
    made = {name: secrets.token_urlsafe(48) for name in ("secret_key", "jwt_key", "webhook")}
    # An installation of before may lack a newer one.
    made = {**made, "hot_key": secrets.token_hex(32), **found}
    if made == found:
        return made
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(made))
    return made


_secrets = _own_secrets(STATE_DIR / "secrets.json")
SECRET_KEY = env.str("SECRET_KEY", default=_secrets["secret_key"])
JWT_SIGNING_KEY = env.str("JWT_SIGNING_KEY", default=_secrets["jwt_key"])

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": STATE_DIR / "souk.sqlite3",
        "OPTIONS": {
            # IMMEDIATE: a transaction that reads first and writes later would fail, not wait.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }
}
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        # Beyond 300, the default, counters of attempts would be thrown out at random.
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}

CELERY_BROKER_URL = "memory://"
# The default of one second between polls makes 200 tasks take 25 s.
CELERY_BROKER_TRANSPORT_OPTIONS = {"polling_interval": 0.02}

STRIPE_SECRET_KEY = env.str("STRIPE_SECRET_KEY", default="")
STRIPE_SANDBOX = not STRIPE_SECRET_KEY
STRIPE_SANDBOX_PORT = env.int("STRIPE_SANDBOX_PORT", default=12111)
if STRIPE_SANDBOX:
    STRIPE_SECRET_KEY = "sk_test_sandbox"  # noqa: S105  # nosec B105  # opens the sandbox alone
    STRIPE_PUBLISHABLE_KEY = "pk_test_sandbox"
    STRIPE_API_BASE = f"http://127.0.0.1:{STRIPE_SANDBOX_PORT}"
    STRIPE_WEBHOOK_SECRETS = [f"whsec_{_secrets['webhook']}"]
# A venue of one's own takes the sandbox's place.
EXCHANGE_VENUE_SANDBOX = not EXCHANGE_VENUE_URL
EXCHANGE_VENUE_PORT = env.int("EXCHANGE_VENUE_PORT", default=12113)
if EXCHANGE_VENUE_SANDBOX:
    EXCHANGE_VENUE_URL = f"http://127.0.0.1:{EXCHANGE_VENUE_PORT}"
# A chain of one's own choice takes the mock chain's place.
MOCK_CHAIN = not CHAIN_RPC_URL
if MOCK_CHAIN:
    CHAIN_RPC_URL = f"{PUBLIC_URL}/mockchain/"
    CHAIN_XPUB, CHAIN_CONTRACTS = MOCK_XPUB, MOCK_CONTRACTS
    CHAIN_HOT_KEY = CHAIN_HOT_KEY or _secrets["hot_key"]
    CELERY_BEAT_SCHEDULE |= MINING
if CHAIN_XPUB:
    CELERY_BEAT_SCHEDULE |= WATCHING
# Test cards are everybody's.
FLASH_RISK["card"]["limit"] = env.int("FLASH_RISK_CARD", default=0)

# As many threads more (config/embedded.py).
STREAM_INLINE = 16

DEMO_ALLOWED = True
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
MEDIA_ROOT = STATE_DIR / "media"
WHITENOISE_USE_FINDERS = True
# Static files are found where they lie; nothing is collected.
STATIC_ROOT = None

# The terminal belongs to the person who typed `make run`: readable, and silent while all is well.
LOGGING["handlers"]["console"]["formatter"] = "console"
LOGGING["root"]["level"] = env.str("LOG_LEVEL", default="WARNING")
LOGGING["loggers"] |= {
    "kombu": {"level": "ERROR"},
    "celery": {"level": "WARNING"},
    "waitress": {"level": "WARNING"},
}
