"""What holds in every mode. Modes: `embedded` (default), `test`, `production`."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from csp.constants import NONCE, NONE, SELF

from config.settings.chain import *  # noqa: F403
from config.settings.exchange import *  # noqa: F403
from config.settings.market import *  # noqa: F403
from config.settings.operations import *  # noqa: F403
from config.settings.operations import PULSES
from config.settings.servers import *  # noqa: F403

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent.parent
VERSION = "0.1.0"

DEBUG = False
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.User"

INSTALLED_APPS = [
    "config",
    "dashboards",
    "migrations_seed",
    "payments",
    "shop",
    "accounts",
    "common",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "corsheaders",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "common.middleware.request_id",
    "django.middleware.security.SecurityMiddleware",
    "common.middleware.ContentSecurity",
    "common.middleware.no_store",
    "common.middleware.body_limit",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "common.api.throttles.AddressLimit",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "common.languages.PageLanguage",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

LANGUAGE_CODE = "en-us"
# Of the pages (common/languages.py); each but English has a catalogue in locale/.
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = env.path("STATIC_ROOT", default=str(BASE_DIR / "staticfiles"))
MEDIA_URL = "media/"
MEDIA_ROOT = env.path("MEDIA_ROOT", default=str(BASE_DIR / "var" / "media"))

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTHENTICATION_BACKENDS = ["accounts.users.backends.IdentifierBackend"]
_VALIDATORS = "django.contrib.auth.password_validation."
AUTH_PASSWORD_VALIDATORS: list[dict[str, Any]] = [
    {
        "NAME": _VALIDATORS + "UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("username", "name", "email")},
    },
    {"NAME": _VALIDATORS + "MinimumLengthValidator"},
    {"NAME": _VALIDATORS + "CommonPasswordValidator"},
    {"NAME": _VALIDATORS + "NumericPasswordValidator"},
    {"NAME": "accounts.credentials.validators.SessionsEnd"},
]

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.sessions.authentication.AccessTokenAuthentication"
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["common.api.parsers.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "common.api.schema.Schema",
    "EXCEPTION_HANDLER": "common.api.problems.handle",
    "DEFAULT_THROTTLE_CLASSES": ["common.api.throttles.UserLimit"],
    "DEFAULT_THROTTLE_RATES": {},
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "URL_FORMAT_OVERRIDE": None,
}

# Recorded answers, which the API's document shows as examples.
API_EXAMPLES = BASE_DIR / "postman" / "souk.postman_collection.json"
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Souk",
    "DESCRIPTION": (
        "A self-hosted, headless shop: catalogue, orders and payments.\n\n"
        "Each refusal is a problem document (RFC 9457) with a stable `code`; every operation lists "
        "the codes of each status. A method that a path does not have is answered with 405 and "
        "`method_not_allowed`. `x-rate-limit` has the requests that an operation allows."
    ),
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SCHEMA_PATH_PREFIX": r"/api/v1/",
    "TAGS": [
        {"name": name, "description": text}
        for name, text in (
            ("accounts", "Register, sign in, refresh, sign out."),
            ("catalogue", "What is for sale; anybody may look."),
            ("market", "What coins cost, and how that has changed."),
            ("flash sales", "So many units at one price: live stock, purchases, leaderboard."),
            ("orders", "Place, pay another way, cancel."),
            ("payments", "How an order is being paid."),
            ("purchases", "What the caller has bought, and in figures."),
            ("exchange", "Coins for the wallet's money, settled in batches."),
            ("wallet", "What the caller has with the shop, and every movement of it."),
            ("staff: figures", "Revenue, orders, products, and what needs a hand."),
            ("staff: catalogue", "Products, prices, pictures, stock."),
            ("staff: flash sales", "Sales, their runs and schedules, and who is let through."),
            ("staff: orders", "All orders, and their delivery."),
            ("staff: payments", "All payments, and refunds."),
            ("staff: exchange", "Batches of exchange orders, and what the venue says of them."),
            ("staff: market", "Price providers, and what is left of their budgets."),
            ("staff: exports", "CSV files of orders, payments, goods, people and the ledger."),
            ("staff: ledger", "Debits and credits of the whole shop."),
            ("staff: audit", "What staff did, and where money went."),
        )
    ],
    "COMPONENT_SPLIT_REQUEST": True,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    # Without `validatorUrl` the page shows a badge from validator.swagger.io.
    "SWAGGER_UI_SETTINGS": {
        "validatorUrl": None,
        "deepLinking": True,
        "persistAuthorization": True,
        "displayRequestDuration": True,
        "docExpansion": "none",
        "tagsSorter": "alpha",
    },
    "REDOC_UI_SETTINGS": {"sortTagsAlphabetically": True},
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "common.api.schema.complete",
    ],
    # Values that explain themselves would be listed twice.
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "REDOC_DIST": "SIDECAR",
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
    "ENUM_NAME_OVERRIDES": {
        "OrderStatus": "shop.orders.serializers.STATUSES",
        "PaymentStatus": "payments.intake.serializers.STATUSES",
        "RefundStatus": "payments.intake.serializers.REFUND_STATUSES",
        "PaymentMethod": "payments.intake.serializers.METHODS",
        "FlashRunStatus": "shop.flash_sales.serializers.STATUSES",
        "WebhookEventState": "payments.stripe.serializers.STATES",
        "ExchangeOrderStatus": "payments.exchange.serializers.STATUSES",
        "ExchangeBatchState": "payments.exchange.serializers.BATCH_STATES",
        "ExchangeAttemptState": "payments.exchange.serializers.ATTEMPT_STATES",
        "ExportKind": "payments.exports.serializers.KINDS",
        "ExportStatus": "payments.exports.serializers.STATUSES",
        "FlashOccurrenceState": "shop.flash_schedules.serializers.OCCURRENCE_STATES",
    },
}

# Access tokens are signed with a key of their own: leaking SECRET_KEY must not mint sessions.
ACCESS_TOKEN_LIFETIME = timedelta(minutes=15)
REFRESH_TOKEN_LIFETIME = timedelta(days=14)

# How long a mailed link lives.
PASSWORD_RESET_SECONDS = 3600
EMAIL_VERIFY_SECONDS = 3 * 24 * 3600

# Attempts in a window of seconds: of one address, of one address on one account, and on one account
# from everywhere, beyond which strange addresses wait (accounts/throttling).
ACCOUNT_THROTTLES: dict[str, dict[str, int]] = {
    # Only refused ones count.
    "sign_in": {"window": 900, "address": 200, "pair": 10, "account": 50},
    "password": {"window": 900, "address": 200, "pair": 10, "account": 50},
    "link": {"window": 900, "address": 60},
    # All of them count.
    "register": {"window": 3600, "address": 200, "pair": 10, "account": 20},
    "refresh": {"window": 300, "address": 1000, "pair": 60},
    "reset": {"window": 3600, "address": 60, "pair": 5, "account": 20},
    "resend": {"window": 3600, "address": 60, "pair": 5},
}
# Multiplies every number of attempts: 1000 for a load test.
THROTTLE_FACTOR = env.float("THROTTLE_FACTOR", default=1.0)
# Addresses or networks whose X-Forwarded-For is believed.
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])

CORS_ALLOWED_ORIGINS = env.list("CORS_ALLOWED_ORIGINS", default=[])
CORS_URLS_REGEX = r"^/api/.*$"
CORS_EXPOSE_HEADERS = [
    "X-Request-ID",
    "Idempotent-Replayed",
    "Retry-After",
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "ETag",
]

# Requests a minute. A route finds its own scope (common/limits/rules.py): money is every POST that
# takes an Idempotency-Key, hooks what payment providers send. Attempts to sign in have limits of
# their own, above.
RATE_LIMITS: dict[str, dict[str, int]] = {
    "reads": {"user": 1200, "address": 3000},
    "writes": {"user": 300, "address": 1200},
    "money": {"user": 120, "address": 600},
    "hooks": {"address": 6000},
}
# Multiplies all of them; 0 lifts them.
RATE_LIMIT_FACTOR = env.float("RATE_LIMIT_FACTOR", default=1.0)

# Purchases of flash sales in a window of seconds (payments/risk): of one user, from one address, of
# one account younger than so many seconds, and users that one card has paid for. RATE_LIMIT_FACTOR
# multiplies them as well; a limit of 0 is none.
FLASH_RISK: dict[str, dict[str, int]] = {
    "user": {"limit": env.int("FLASH_RISK_USER", default=20), "window": 3600},
    "address": {"limit": env.int("FLASH_RISK_ADDRESS", default=100), "window": 600},
    "new_account": {
        "limit": env.int("FLASH_RISK_NEW_ACCOUNT", default=5),
        "window": 3600,
        "younger": 24 * 3600,
    },
    "card": {"limit": env.int("FLASH_RISK_CARD", default=4), "window": 24 * 3600},
}

PUBLIC_URL = env.str("PUBLIC_URL", default="http://127.0.0.1:8000")
SHOP_NAME = "Souk"
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default=f"{SHOP_NAME} <shop@localhost>")
# Shorter than an outbox lease: a mail server that hangs must not have the mail sent twice.
EMAIL_TIMEOUT = 10
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])

# The order's deadline and with it the hold on its stock.
ORDER_HOLD_SECONDS = env.int("ORDER_HOLD_SECONDS", default=15 * 60)
FLASH_HOLD_SECONDS = env.int("FLASH_HOLD_SECONDS", default=5 * 60)
# How long before its start a run of a schedule is planned, and its units leave the stock.
FLASH_SCHEDULE_AHEAD_SECONDS = env.int("FLASH_SCHEDULE_AHEAD_SECONDS", default=24 * 3600)
# Where streams are served, if by a process of their own (config/asgi.py): others redirect to it.
STREAM_URL = env.str("STREAM_URL", default="")
# Listeners that process takes at once, altogether and from one address.
STREAM_MAX_LISTENERS = env.int("STREAM_MAX_LISTENERS", default=5000)
STREAM_MAX_PER_ADDRESS = env.int("STREAM_MAX_PER_ADDRESS", default=200)
# Without it: listeners that a WSGI process serves, each from one of its threads.
STREAM_INLINE = 2
# For how long somebody whom a waiting room has admitted may buy.
WAITING_ROOM_SECONDS = env.int("WAITING_ROOM_SECONDS", default=10 * 60)
# How long a page of the catalogue is shown again as it is, in each process; 0 makes it every time.
SHELF_SECONDS = env.float("SHELF_SECONDS", default=1.0)
# Rows of one CSV file of products, which is taken as a whole.
PRODUCT_IMPORT_MAX_ROWS = env.int("PRODUCT_IMPORT_MAX_ROWS", default=10_000)
# How long the file of an export can be fetched.
EXPORT_KEEP_SECONDS = env.int("EXPORT_KEEP_SECONDS", default=24 * 3600)
LOW_STOCK_THRESHOLD = env.int("LOW_STOCK_THRESHOLD", default=5)

STRIPE_API_VERSION = "2026-10-28.endive"
STRIPE_SECRET_KEY = env.str("STRIPE_SECRET_KEY", default="")
STRIPE_PUBLISHABLE_KEY = env.str("STRIPE_PUBLISHABLE_KEY", default="")
# Several while a secret is being rotated; any of them verifies.
STRIPE_WEBHOOK_SECRETS = env.list("STRIPE_WEBHOOK_SECRET", default=[])
STRIPE_API_BASE = "https://api.stripe.com"
STRIPE_TIMEOUT_SECONDS = env.float("STRIPE_TIMEOUT_SECONDS", default=8.0)

CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 60
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BEAT_SCHEDULE: dict[str, Any] = {
    "outbox": {"task": "common.outbox.sweep", "schedule": 2.0},
    "outbox-forget": {"task": "common.outbox.forget_done", "schedule": 600.0},
    "idempotency-forget": {"task": "common.idempotency.forget_expired", "schedule": 600.0},
    "sessions-forget": {"task": "accounts.sessions.forget_expired", "schedule": 3600.0},
    "browsers-forget": {"task": "accounts.sessions.forget_browsers", "schedule": 3600.0},
    "ledger-holds-expire": {"task": "accounts.ledger.expire_holds", "schedule": 10.0},
    "ledger-sums-carry": {"task": "accounts.ledger.carry_sums", "schedule": 60.0},
    "histories-count": {"task": "payments.checkout.count_histories", "schedule": 60.0},
    "orders-expire": {"task": "payments.checkout.expire_overdue", "schedule": 5.0},
    "flash-sweep": {"task": "shop.flash_sales.sweep", "schedule": 2.0},
    "flash-plan": {"task": "shop.flash_schedules.plan", "schedule": 30.0},
    "sales-count": {"task": "shop.statistics.count", "schedule": 20.0},
    "methods-count": {"task": "payments.statistics.count", "schedule": 20.0},
    "stripe-poll": {"task": "payments.stripe.poll", "schedule": 15.0},
    "stripe-reconcile": {"task": "payments.stripe.reconcile", "schedule": 3600.0},
    "exchange-sweep": {"task": "payments.exchange.sweep", "schedule": 5.0},
    "exchange-reconcile": {"task": "payments.exchange.reconcile", "schedule": 3600.0},
    # Looks whether MARKET_TICK_SECONDS have passed since anybody fetched.
    "market-tick": {"task": "payments.market.tick", "schedule": 15.0},
    "market-forget": {"task": "payments.market.forget", "schedule": 3600.0},
    "exports-forget": {"task": "payments.exports.forget", "schedule": 600.0},
    "imports-forget": {"task": "shop.imports.forget", "schedule": 3600.0},
    "audit-seal": {"task": "common.audit.seal", "schedule": 60.0},
    "invariants": {"task": "config.check_invariants", "schedule": 900.0},
    **PULSES,
}

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {"()": "common.logs.json_formatter"},
        "console": {"()": "common.logs.console_formatter"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json"}},
    "loggers": {
        # They write a line for every call or task, which ours do as well.
        **{
            name: {"level": "WARNING"}
            for name in (
                "stripe",
                "httpx",
                "kombu",
                "celery.app.trace",
                "celery.beat",
                "celery.worker.strategy",
            )
        },
        # Django's own handlers would mail whole requests to ADMINS.
        "django": {"handlers": [], "level": "INFO"},
        # 4xx are in our line for the request; 5xx come with the place of the exception.
        "django.request": {"level": "ERROR"},
        "django.security": {"level": "ERROR"},
    },
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
}

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
# Nothing from outside and nothing inline, unless it carries the answer's nonce. Wider only where
# a view says so: config/urls.py.
CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        # The icon, and pictures in the style sheets of the documentation pages.
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
# A page listens to streams, also where another origin serves them; that one names the page's in
# CORS_ALLOWED_ORIGINS.
_page, _streams = (urlsplit(url)[:2] for url in (PUBLIC_URL, STREAM_URL))
if _streams not in (("", ""), _page):
    CONTENT_SECURITY_POLICY["DIRECTIVES"]["connect-src"] = [SELF, "://".join(_streams)]
