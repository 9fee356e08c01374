"""Prices as they were read, quotes made of them, and what is kept of the providers themselves."""

import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from common.fields import BaseUnitsField
from payments.market.rules.budgets import Window
from payments.market.rules.prices import HIGHEST, Price, from_units, to_units


class CoinPrice(models.Model):
    """A reading of a coin. Prices are in units of 10^-18 USD (`rules.prices`).

    `updated_at` is the provider's own moment: a reading that is fetched twice is stored once.
    """

    provider = models.CharField(max_length=20)
    coin = models.CharField(max_length=50)
    updated_at = models.DateTimeField()
    price = BaseUnitsField()
    market_cap = BaseUnitsField(null=True)  # type: ignore[misc]  # the stubs have none that may be null
    change_24h = models.FloatField(null=True)
    stored_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            # In this order it is also the index of every read.
            models.UniqueConstraint(
                fields=["provider", "coin", "updated_at"], name="coin_price_once"
            ),
            models.CheckConstraint(
                condition=Q(price__gt=0, price__lte=to_units(HIGHEST)), name="coin_price_in_bounds"
            ),
        ]
        indexes = [models.Index(fields=["coin", "updated_at"], name="coin_price_by_time")]

    def __str__(self) -> str:
        return f"{self.coin}: {self.shown_price}"

    @property
    def shown_price(self) -> str:
        return format(from_units(self.price).normalize(), "f")

    @property
    def value(self) -> Price:
        return Price(
            coin=self.coin,
            price=from_units(self.price),
            as_of=self.updated_at,
            source=self.provider,
            market_cap=None if self.market_cap is None else from_units(self.market_cap),
            change_24h=self.change_24h,
        )


class Quote(models.Model):
    """A rate that was promised until `expires_at`: units of 10^-18 USD for one token."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    token = models.CharField(max_length=20)
    currency = models.CharField(max_length=3)
    rate = BaseUnitsField()
    source = models.CharField(max_length=20)
    as_of = models.DateTimeField()
    quoted_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(rate__gt=0), name="quote_rate_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.token} at {from_units(self.rate).normalize():f} {self.currency}"


class ProviderUse(models.Model):
    """What of a provider's budget is used in one window: calls of a minute, else credits."""

    provider = models.CharField(max_length=20)
    window = models.CharField(max_length=6, choices=[(w.value, w.value) for w in Window])
    starts_at = models.DateTimeField()
    used = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "window", "starts_at"], name="provider_use_of_window"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider}: {self.used} in this {self.window}"


class ProviderState(models.Model):
    """Whether a provider may be asked: not before `open_until`, for `reason`."""

    provider = models.CharField(max_length=20, unique=True)
    failures = models.PositiveIntegerField(default=0)
    open_until = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)
    succeeded_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.provider


class MarketTurn(models.Model):
    """When something that one process is to do for all was last begun."""

    name = models.CharField(max_length=100, unique=True)
    taken_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name
