"""Coins, batches and orders in the admin; what changes them are services."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from common.admin.base import PartInline, ReadOnlyAdmin
from common.admin.display import EMPTY, amount, link, pretty, some
from payments.exchange.forms import (
    CurrencyChangeForm,
    CurrencyForm,
    GiveBackForm,
    ReconcileForm,
    RetryForm,
)
from payments.exchange.models import (
    ExchangeAttempt,
    ExchangeBatch,
    ExchangeCurrency,
    ExchangeOrder,
)
from payments.exchange.rules import CASH
from payments.exchange.serializers import price_text
from payments.market.rules.prices import from_units


@admin.register(ExchangeCurrency)
class ExchangeCurrencyAdmin(ReadOnlyAdmin):
    forms = (CurrencyChangeForm,)
    add_form = CurrencyForm
    list_display = ("symbol", "name", "shown_price", "shown_minimum", "active")
    ordering = ("symbol",)
    fields = ("symbol", "name", "shown_price", "shown_minimum", "active", "created_at")

    @admin.display(description="price in USD")
    def shown_price(self, row: ExchangeCurrency) -> str:
        return format(row.unit_price.normalize(), "f")

    @admin.display(description="the venue's minimum")
    def shown_minimum(self, row: ExchangeCurrency) -> str:
        return amount(row.minimum, CASH)


class MemberInline(PartInline):
    model = ExchangeOrder
    verbose_name_plural = "members"
    fields = ("shown_order", "shown_user", "status", "coins", "paid", "given", "placed_at")
    ordering = ("pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ExchangeOrder]:
        return super().get_queryset(request).select_related("user", "currency")

    @admin.display(description="order")
    def shown_order(self, order: ExchangeOrder) -> str:
        return link(order)

    @admin.display(description="customer")
    def shown_user(self, order: ExchangeOrder) -> str:
        return link(order.user, order.user.email)

    @admin.display(description="ordered")
    def coins(self, order: ExchangeOrder) -> str:
        return amount(order.amount, order.currency.symbol)

    @admin.display(description="cost")
    def paid(self, order: ExchangeOrder) -> str:
        return amount(order.cost, CASH)

    @admin.display(description="share")
    def given(self, order: ExchangeOrder) -> str:
        return some(order.filled, order.currency.symbol)


class AttemptInline(PartInline):
    model = ExchangeAttempt
    verbose_name_plural = "attempts"
    fields = ("number", "client_order_id", "state", "asked_for", "asks", "error", "said", "since")
    ordering = ("pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ExchangeAttempt]:
        return super().get_queryset(request).select_related("batch__currency")

    @admin.display(description="asked for")
    def asked_for(self, attempt: ExchangeAttempt) -> str:
        return amount(attempt.units, attempt.batch.currency.symbol)

    @admin.display(description="answer")
    def said(self, attempt: ExchangeAttempt) -> str:
        return pretty(attempt.answer)

    @admin.display(description="first asked")
    def since(self, attempt: ExchangeAttempt) -> Any:
        return attempt.created_at


@admin.register(ExchangeBatch)
class ExchangeBatchAdmin(ReadOnlyAdmin):
    forms = (RetryForm, ReconcileForm, GiveBackForm)
    list_display = ("short_uid", "currency", "state", "members", "coins", "shown_cost", "opened_at")
    list_filter: ClassVar[Any] = ("state", "currency")
    list_select_related = ("currency",)
    search_fields = ("=uid", "=attempts__client_order_id")
    ordering = ("-pk",)
    fields = (
        "uid",
        "currency",
        "state",
        "reason",
        "members",
        "coins",
        "house_coins",
        "shown_cost",
        "filled_coins",
        "dust_coins",
        "venue_price",
        "opened_at",
        "sealed_at",
        "decided_at",
        "ended_at",
    )
    inlines = (AttemptInline, MemberInline)

    @admin.display(description="batch")
    def short_uid(self, batch: ExchangeBatch) -> str:
        return f"{str(batch.uid)[:8]}…"

    @admin.display(description="ordered")
    def coins(self, batch: ExchangeBatch) -> str:
        return amount(batch.units, batch.currency.symbol)

    @admin.display(description="added by the house")
    def house_coins(self, batch: ExchangeBatch) -> str:
        return some(batch.house_units, batch.currency.symbol)

    @admin.display(description="cost", ordering="cost")
    def shown_cost(self, batch: ExchangeBatch) -> str:
        return amount(batch.cost, CASH)

    @admin.display(description="filled")
    def filled_coins(self, batch: ExchangeBatch) -> str:
        return some(batch.filled, batch.currency.symbol)

    @admin.display(description="charged by the venue, in USD")
    def venue_price(self, batch: ExchangeBatch) -> str:
        return price_text(from_units(batch.venue_cost)) if batch.venue_cost else EMPTY

    @admin.display(description="dust")
    def dust_coins(self, batch: ExchangeBatch) -> str:
        return some(batch.dust, batch.currency.symbol)


@admin.register(ExchangeOrder)
class ExchangeOrderAdmin(ReadOnlyAdmin):
    list_display = ("short_uid", "user", "status", "coins", "shown_cost", "placed_at")
    list_filter: ClassVar[Any] = ("status", "currency")
    list_select_related = ("user", "currency")
    search_fields = ("=uid", "user__email", "user__username")
    ordering = ("-pk",)
    fields = (
        "uid",
        "shown_user",
        "shown_batch",
        "status",
        "coins",
        "shown_price",
        "price_source",
        "shown_cost",
        "filled_coins",
        "shown_charged",
        "placed_at",
        "decided_at",
    )

    @admin.display(description="order")
    def short_uid(self, order: ExchangeOrder) -> str:
        return f"{str(order.uid)[:8]}…"

    @admin.display(description="customer")
    def shown_user(self, order: ExchangeOrder) -> str:
        return link(order.user, order.user.email)

    @admin.display(description="batch")
    def shown_batch(self, order: ExchangeOrder) -> str:
        return link(order.batch)

    @admin.display(description="ordered")
    def coins(self, order: ExchangeOrder) -> str:
        return amount(order.amount, order.currency.symbol)

    @admin.display(description="price in USD")
    def shown_price(self, order: ExchangeOrder) -> str:
        return format(order.price.normalize(), "f")

    @admin.display(description="cost", ordering="cost")
    def shown_cost(self, order: ExchangeOrder) -> str:
        return amount(order.cost, CASH)

    @admin.display(description="share")
    def filled_coins(self, order: ExchangeOrder) -> str:
        return some(order.filled, order.currency.symbol)

    @admin.display(description="charged")
    def shown_charged(self, order: ExchangeOrder) -> str:
        return some(order.charged, CASH)
