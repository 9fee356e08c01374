"""What can be bought, the orders, the batches they are settled in, and what the venue was asked."""

import uuid
from decimal import Decimal
from enum import StrEnum

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from common.fields import BaseUnitsField, MinorUnitsField
from common.money import DECIMALS
from payments.exchange.rules import CASH, AttemptState, BatchState, OrderStatus
from payments.market.rules.prices import from_units


def _choices(kind: type[StrEnum]) -> list[tuple[str, str]]:
    return [(each.value, each.value) for each in kind]


class ExchangeCurrency(models.Model):
    """A coin for sale: `price` in 10^-18 USD, `minimum` of the venue in cents."""

    symbol = models.CharField(max_length=16, unique=True)
    name = models.CharField(max_length=60)
    price = BaseUnitsField()
    minimum = MinorUnitsField(default=1000)
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "exchange currencies"
        constraints = [
            models.CheckConstraint(
                condition=Q(price__gt=0, minimum__gt=0), name="exchange_currency_has_a_price"
            ),
            models.CheckConstraint(condition=~Q(symbol=CASH), name="exchange_currency_is_no_cash"),
        ]

    def __str__(self) -> str:
        return self.symbol

    @property
    def decimals(self) -> int:
        return DECIMALS[self.symbol]

    @property
    def unit_price(self) -> Decimal:
        return from_units(self.price)


class ExchangePool(models.Model):
    """The turnstile of a coin's open batch; nothing is in it, and no row refers to it.

    The currency's own row would not do: every order refers to it, so that each insert would wait
    for whoever has it locked.
    """

    currency = models.OneToOneField(
        ExchangeCurrency, models.PROTECT, primary_key=True, related_name="pool"
    )

    def __str__(self) -> str:
        return f"pool {self.pk}"


class ExchangeBatch(models.Model):
    """Orders that are settled in one call of the venue; frozen once it is sealed.

    `units`, `house_units`, `filled`, `house_filled` and `dust` are base units; `cost` is in cents,
    `worth` as in `rules.worth`, `venue_cost` in 10^-18 USD.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    currency = models.ForeignKey(ExchangeCurrency, models.PROTECT, related_name="batches")
    state = models.CharField(
        max_length=8, choices=_choices(BatchState), default=BatchState.OPEN.value
    )
    # The currency's key while it is open: one for each coin.
    open_for = models.BigIntegerField(null=True, unique=True, editable=False)
    members = models.PositiveIntegerField(default=0)
    units = BaseUnitsField(default=0)
    cost = MinorUnitsField(default=0)
    worth = BaseUnitsField(default=0)
    # What the house adds so that the minimum is reached.
    house_units = BaseUnitsField(default=0)
    filled = BaseUnitsField(default=0)
    house_filled = BaseUnitsField(default=0)
    dust = BaseUnitsField(default=0)
    venue_cost = BaseUnitsField(default=0)
    reason = models.CharField(max_length=60, blank=True)
    opened_at = models.DateTimeField(db_default=Now())
    sealed_at = models.DateTimeField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "exchange batches"
        constraints = [
            models.CheckConstraint(
                condition=Q(state=BatchState.OPEN, open_for__isnull=False, sealed_at=None)
                | (~Q(state=BatchState.OPEN) & Q(open_for=None, sealed_at__isnull=False)),
                name="exchange_batch_open_or_sealed",
            ),
            models.CheckConstraint(
                condition=Q(state__in=[BatchState.OPEN, BatchState.SEALED], filled=0)
                | Q(
                    state__in=[BatchState.DECIDED, BatchState.SETTLED, BatchState.FAILED],
                    decided_at__isnull=False,
                ),
                name="exchange_batch_filled_once_decided",
            ),
            models.CheckConstraint(
                condition=Q(members__gt=0, units__gt=0, cost__gt=0) | Q(state=BatchState.OPEN),
                name="exchange_batch_sealed_with_members",
            ),
            models.CheckConstraint(
                condition=Q(dust__lte=F("filled"), house_filled__lte=F("house_units")),
                name="exchange_batch_shares_within",
            ),
        ]
        indexes = [models.Index(fields=["state", "opened_at"], name="exchange_batch_by_state")]

    def __str__(self) -> str:
        return str(self.uid)

    @property
    def asked(self) -> int:
        """What the venue is asked for, in base units."""
        return self.units + self.house_units


class ExchangeOrder(models.Model):
    """A customer's purchase; its price and cost are what they were when it was placed.

    `amount` and `filled` are base units, `unit_price` is in 10^-18 USD, `cost` and `charged` are
    in cents. `filled` and `charged` are its share, written when its batch is decided.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="exchange_orders"
    )
    currency = models.ForeignKey(ExchangeCurrency, models.PROTECT, related_name="orders")
    amount = BaseUnitsField()
    unit_price = BaseUnitsField()
    price_source = models.CharField(max_length=20)
    cost = MinorUnitsField()
    status = models.CharField(
        max_length=9, choices=_choices(OrderStatus), default=OrderStatus.POOLED.value
    )
    batch = models.ForeignKey(ExchangeBatch, models.PROTECT, null=True, related_name="orders")
    hold = models.OneToOneField("accounts.Hold", models.PROTECT, related_name="+")
    filled = BaseUnitsField(default=0)
    charged = MinorUnitsField(default=0)
    placed_at = models.DateTimeField(db_default=Now())
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gt=0, unit_price__gt=0, cost__gt=0),
                name="exchange_order_costs_something",
            ),
            models.CheckConstraint(
                condition=Q(filled__lte=F("amount"), charged__lte=F("cost"), charged__gte=0),
                name="exchange_order_share_within",
            ),
            models.CheckConstraint(
                condition=Q(filled=0, charged=0) | Q(filled__gt=0, charged__gt=0),
                name="exchange_order_pays_for_coins",
            ),
            models.CheckConstraint(
                condition=Q(status=OrderStatus.CANCELLED, batch=None)
                | (~Q(status=OrderStatus.CANCELLED) & Q(batch__isnull=False)),
                name="exchange_order_in_a_batch",
            ),
            models.CheckConstraint(
                condition=Q(status__in=[OrderStatus.POOLED, OrderStatus.SETTLING], decided_at=None)
                | (
                    ~Q(status__in=[OrderStatus.POOLED, OrderStatus.SETTLING])
                    & Q(decided_at__isnull=False)
                ),
                name="exchange_order_decided_once",
            ),
            models.CheckConstraint(
                condition=Q(status=OrderStatus.SETTLING)
                | Q(status=OrderStatus.SETTLED, filled__gt=0)
                | Q(
                    status__in=[OrderStatus.POOLED, OrderStatus.FAILED, OrderStatus.CANCELLED],
                    filled=0,
                ),
                name="exchange_order_settled_has_coins",
            ),
        ]
        indexes = [
            models.Index(fields=["user", "-id"], name="exchange_order_by_user"),
            models.Index(fields=["batch", "status"], name="exchange_order_by_batch"),
        ]

    def __str__(self) -> str:
        return str(self.uid)

    @property
    def price(self) -> Decimal:
        return from_units(self.unit_price)


class ExchangeAttempt(models.Model):
    """One purchase at the venue, written before the venue is asked.

    Its id is the venue's key: asked for, and sent again, under the same one until there is an
    answer. After a refusal the next attempt has an id of its own.
    """

    batch = models.ForeignKey(ExchangeBatch, models.PROTECT, related_name="attempts")
    number = models.PositiveIntegerField()
    client_order_id = models.CharField(max_length=64, unique=True)
    units = BaseUnitsField()
    state = models.CharField(
        max_length=7, choices=_choices(AttemptState), default=AttemptState.ASKED.value
    )
    # The batch's key while the outcome is unknown: one question at a time.
    open_for = models.BigIntegerField(null=True, unique=True, editable=False)
    # How often somebody set out to ask; from the second time on the venue is asked what it knows.
    asks = models.PositiveIntegerField(default=0)
    leased_until = models.DateTimeField(null=True, blank=True)
    filled = BaseUnitsField(default=0)
    answer = models.JSONField(null=True)
    error = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["batch", "number"], name="exchange_attempt_number_once"
            ),
            models.CheckConstraint(
                condition=Q(state=AttemptState.ASKED, open_for__isnull=False, answered_at=None)
                | (~Q(state=AttemptState.ASKED) & Q(open_for=None, answered_at__isnull=False)),
                name="exchange_attempt_open_while_asked",
            ),
            models.CheckConstraint(
                condition=Q(state=AttemptState.FILLED, filled__gt=0)
                | (~Q(state=AttemptState.FILLED) & Q(filled=0)),
                name="exchange_attempt_filled_has_units",
            ),
        ]

    def __str__(self) -> str:
        return self.client_order_id
