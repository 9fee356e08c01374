"""App configuration."""

from django.apps import AppConfig


class MigrationsSeedConfig(AppConfig):
    name = "migrations_seed"
    default_auto_field = "django.db.models.BigAutoField"
