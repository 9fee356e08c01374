"""Prices, quotes and providers, to look at; budgets are at `/api/v1/admin/market/providers/`."""

from typing import Any, ClassVar

from django.contrib import admin

from common.admin.base import ReadOnlyAdmin
from payments.market.models import CoinPrice, ProviderState, Quote
from payments.market.rules.prices import from_units


@admin.register(CoinPrice)
class CoinPriceAdmin(ReadOnlyAdmin):
    list_display = ("coin", "shown_price", "provider", "updated_at")
    list_filter: ClassVar[Any] = ("provider", "coin")
    ordering = ("-pk",)
    fields = ("coin", "shown_price", "provider", "updated_at", "change_24h", "stored_at")


@admin.register(Quote)
class QuoteAdmin(ReadOnlyAdmin):
    list_display = ("quoted_at", "token", "shown_rate", "currency", "source", "expires_at")
    list_filter: ClassVar[Any] = ("token", "source")
    ordering = ("-pk",)
    fields = (
        "uid",
        "token",
        "shown_rate",
        "currency",
        "source",
        "as_of",
        "quoted_at",
        "expires_at",
    )

    @admin.display(description="rate")
    def shown_rate(self, quote: Quote) -> str:
        return format(from_units(quote.rate).normalize(), "f")


@admin.register(ProviderState)
class ProviderStateAdmin(ReadOnlyAdmin):
    list_display = ("provider", "open_until", "reason", "failures", "succeeded_at", "failed_at")
    ordering = ("provider",)
    fields = ("provider", "open_until", "reason", "failures", "succeeded_at", "failed_at")
