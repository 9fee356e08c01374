"""App configuration: every feature's tasks are found once the apps are ready."""

from django.apps import AppConfig

from config.celery import app

# Autodiscovery looks only at app packages; features are packages inside them.
FEATURES = [
    "common.audit",
    "common.outbox",
    "common.idempotency",
    "accounts.credentials",
    "accounts.ledger",
    "accounts.sessions",
    "payments.chain.node",
    "payments.checkout",
    "payments.exchange",
    "payments.exports",
    "payments.intake",
    "payments.crypto",
    "payments.market",
    "payments.notices",
    "payments.statistics",
    "payments.stripe",
    "shop.flash_sales",
    "shop.flash_schedules",
    "shop.imports",
    "shop.statistics",
    "config",
]


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        # Forced: the outbox looks tasks up by name, and lazy discovery would wait for a worker.
        app.autodiscover_tasks(FEATURES, force=True)
