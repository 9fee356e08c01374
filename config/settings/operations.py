"""Queues, metrics and traces."""

from importlib.util import find_spec
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

env = environ.Env()

# Each may have workers of its own: a mail server or a price provider that hangs keeps no payment
# waiting, and a storm of webhooks no buyer.
QUEUES = ("payments", "webhooks", "mail", "background")
CELERY_TASK_DEFAULT_QUEUE = "background"
CELERY_TASK_ROUTES = {
    "payments.stripe.process_event": {"queue": "webhooks"},
    "payments.notices.*": {"queue": "mail"},
    "accounts.credentials.*": {"queue": "mail"},
    # Each asks somebody who may hang: a price provider, an exchange venue, a node.
    "payments.market.*": {"queue": "background"},
    "payments.exchange.*": {"queue": "background"},
    "payments.checkout.count_histories": {"queue": "background"},
    "payments.exports.*": {"queue": "background"},
    "payments.statistics.*": {"queue": "background"},
    "payments.crypto.*": {"queue": "background"},
    "payments.chain.*": {"queue": "background"},
    "payments.*": {"queue": "payments"},
    # They send what was lost and give units back: not behind one of those above.
    "common.outbox.sweep": {"queue": "payments"},
    "shop.flash_sales.sweep": {"queue": "payments"},
}
# Through each queue and back, so that a queue that nobody serves is seen.
PULSES: dict[str, Any] = {
    f"pulse-{queue}": {
        "task": "config.pulse",
        "schedule": 15.0,
        "kwargs": {"queue": queue},
        # Without workers they would pile up.
        "options": {"queue": queue, "expires": 60},
    }
    for queue in QUEUES
}

# How old may be what a replica of the database says, where there is one.
REPLICA_LAG_SECONDS = env.float("REPLICA_LAG_SECONDS", default=2.0)

# Who may read /metrics; without one, whoever comes from a private address and by no proxy.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
# Where a worker's figures are read; 0 is nowhere.
WORKER_METRICS_PORT = env.int("WORKER_METRICS_PORT", default=0)

# A collector of OpenTelemetry, by OTLP over HTTP; empty: no traces.
TRACES_URL = env.str("OTEL_EXPORTER_OTLP_ENDPOINT", default="")
# Of all requests; which ones, their ids decide.
TRACES_SHARE = env.float("OTEL_TRACES_SAMPLER_ARG", default=1.0)
if TRACES_URL and find_spec("opentelemetry") is None:
    raise ImproperlyConfigured(
        "OTEL_EXPORTER_OTLP_ENDPOINT is set, and the packages of the extra `tracing` are missing."
    )
