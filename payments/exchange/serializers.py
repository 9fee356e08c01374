"""The exchange as clients see it."""

from decimal import Decimal
from typing import Any, ClassVar, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from common.api.serializers import (
    AMOUNT,
    AmountField,
    CursorQuery,
    MoneyField,
    StrictCharField,
    StrictSerializer,
)
from common.money import DECIMALS, to_text
from payments.exchange import rules, selectors
from payments.exchange.models import (
    ExchangeAttempt,
    ExchangeBatch,
    ExchangeCurrency,
    ExchangeOrder,
)
from payments.exchange.rules import CASH, AttemptState, BatchState, OrderStatus
from payments.market.rules.prices import from_units

STATUSES: Final = [status.value for status in OrderStatus]
BATCH_STATES: Final = [state.value for state in BatchState]
# What there may be orders for; a filter by anything else is a mistake.
SYMBOLS: Final = [symbol for symbol in sorted(DECIMALS) if symbol != CASH]
ATTEMPT_STATES: Final = [state.value for state in AttemptState]
# ETH has 18, and no coin more.
_MOST_DECIMALS: Final = 18
PRICE: Final = {"type": "string", "pattern": r"^\d+(\.\d+)?$", "example": "67.00"}


def price_text(price: Decimal) -> str:
    """At least two decimals, as many more as it has: "4.00", "0.361234567"."""
    text = format(price.normalize(), "f")
    whole, _, part = text.partition(".")
    return f"{whole}.{part:0<2}"


@extend_schema_field({"type": "string", "pattern": r"^\d{1,12}(\.\d{1,18})?$", "example": "3"})
class CoinAmountField(serializers.Field[Any, Any, Any, Any]):
    """Coins: `"0.05"` outside, a Decimal inside; the coin says how many decimals fit."""

    default_error_messages = {
        "invalid": 'A decimal string such as "0.05", with at most 12 digits before the point.',
        "not_positive": "The amount must be above zero.",
    }

    def to_internal_value(self, data: Any) -> Decimal:
        text = str(data) if isinstance(data, str | int) and not isinstance(data, bool) else ""
        digits = text.removeprefix("-")
        whole, point, part = digits.partition(".")
        # ASCII digits only: Decimal() would also take exponents, NaN and other scripts.
        if not (whole.isascii() and whole.isdigit() and len(whole) <= rules.MOST_DIGITS):
            self.fail("invalid")
        if point and not (part.isascii() and part.isdigit() and len(part) <= _MOST_DECIMALS):
            self.fail("invalid")
        amount = Decimal(text)
        if amount <= 0:
            self.fail("not_positive")
        return amount

    def to_representation(self, value: Any) -> str:
        return str(value)


class CoinsField(AmountField):
    """A column of base units, as coins of the row's currency."""

    def __init__(self, column: str, **kwargs: Any) -> None:
        super().__init__(source="*", read_only=True, **kwargs)
        self.column = column

    def to_representation(self, value: Any) -> str:
        return to_text(getattr(value, self.column), value.currency.symbol)


class ExchangeOrderIn(StrictSerializer):
    example: ClassVar = {"currency": "ABAN", "amount": "3"}

    currency = StrictCharField(max_length=16)
    amount = CoinAmountField()


class ExchangeOrderQuery(CursorQuery):
    status = serializers.ChoiceField(STATUSES, required=False)
    currency = serializers.ChoiceField(SYMBOLS, required=False)


class BatchQuery(CursorQuery):
    state = serializers.ChoiceField(BATCH_STATES, required=False)
    currency = serializers.ChoiceField(SYMBOLS, required=False)


class ExchangeCurrencyOut(serializers.Serializer[ExchangeCurrency]):
    """`price` in USD for one coin, null while no source can be trusted; `source` is whose it is."""

    symbol = serializers.CharField()
    name = serializers.CharField()
    decimals = serializers.IntegerField(min_value=0, max_value=_MOST_DECIMALS)
    price = serializers.SerializerMethodField()
    source = serializers.SerializerMethodField()  # type: ignore[assignment]
    minimum_settlement = MoneyField(
        source="minimum", help_text="Orders below it wait for others of the same coin."
    )

    @extend_schema_field({**PRICE, "type": ["string", "null"]})
    def get_price(self, row: ExchangeCurrency) -> str | None:
        price, _ = selectors.shown_price(row)
        return None if price is None else price_text(price)

    def get_source(self, row: ExchangeCurrency) -> str:
        return selectors.shown_price(row)[1]


class ExchangeOrderOut(serializers.Serializer[ExchangeOrder]):
    """`cost` was set aside; `charged` is what was paid of it for the `filled` coins."""

    id = serializers.UUIDField(source="uid")
    currency = serializers.CharField(source="currency.symbol")
    amount = CoinsField("amount")
    unit_price = serializers.SerializerMethodField(help_text="USD for one coin, as it was then.")
    price_source = serializers.CharField()
    cost = MoneyField()
    status = serializers.ChoiceField(STATUSES)
    batch = serializers.UUIDField(source="batch.uid", allow_null=True, default=None)
    filled = serializers.SerializerMethodField()
    charged = serializers.SerializerMethodField()
    reason = serializers.SerializerMethodField(help_text="Why it failed; empty otherwise.")
    placed_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)

    @extend_schema_field(PRICE)
    def get_unit_price(self, order: ExchangeOrder) -> str:
        return price_text(order.price)

    @extend_schema_field(AMOUNT)
    def get_filled(self, order: ExchangeOrder) -> str:
        # A share that is written and not given yet is nobody's to spend.
        settled = order.status == OrderStatus.SETTLED
        return to_text(order.filled if settled else 0, order.currency.symbol)

    @extend_schema_field(AMOUNT)
    def get_charged(self, order: ExchangeOrder) -> str:
        return to_text(order.charged if order.status == OrderStatus.SETTLED else 0, CASH)

    def get_reason(self, order: ExchangeOrder) -> str:
        failed = order.status == OrderStatus.FAILED and order.batch is not None
        return order.batch.reason if failed and order.batch else ""


class BatchOut(serializers.Serializer[ExchangeBatch]):
    """Amounts are coins; `cost` is the members' and `venue_cost` what the venue charged, in USD."""

    id = serializers.UUIDField(source="uid")
    currency = serializers.CharField(source="currency.symbol")
    state = serializers.ChoiceField(BATCH_STATES)
    reason = serializers.CharField()
    orders = serializers.IntegerField(source="members")
    amount = CoinsField("units")
    house_amount = CoinsField("house_units", help_text="What the house adds to reach the minimum.")
    cost = MoneyField()
    filled = CoinsField("filled")
    house_filled = CoinsField("house_filled")
    dust = CoinsField("dust", help_text="What was filled beyond what was asked for.")
    venue_cost = serializers.SerializerMethodField()
    opened_at = serializers.DateTimeField()
    sealed_at = serializers.DateTimeField(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)

    @extend_schema_field(PRICE)
    def get_venue_cost(self, batch: ExchangeBatch) -> str:
        return price_text(from_units(batch.venue_cost))


class MemberOut(ExchangeOrderOut):
    """An order of a batch, with whose it is."""

    user = serializers.UUIDField(source="user.uid")


class AttemptOut(serializers.Serializer[ExchangeAttempt]):
    """What the venue was asked for, and its answer as it came; null while there is none."""

    number = serializers.IntegerField()
    client_order_id = serializers.CharField()
    state = serializers.ChoiceField(ATTEMPT_STATES)
    amount = serializers.SerializerMethodField()
    asks = serializers.IntegerField(help_text="How often a worker set out to ask.")
    error = serializers.CharField(help_text="Why the last ask brought no answer, or the refusal.")
    answer = serializers.JSONField(allow_null=True)
    created_at = serializers.DateTimeField()
    answered_at = serializers.DateTimeField(allow_null=True)

    @extend_schema_field(AMOUNT)
    def get_amount(self, attempt: ExchangeAttempt) -> str:
        return to_text(attempt.units, self.context["symbol"])


class BatchDetailOut(BatchOut):
    members = serializers.SerializerMethodField()
    attempts = serializers.SerializerMethodField()

    @extend_schema_field(MemberOut(many=True))
    def get_members(self, batch: ExchangeBatch) -> Any:
        found: Any = list(selectors.members(batch.pk))
        for order in found:
            order.currency, order.batch = batch.currency, batch
        return MemberOut(found, many=True).data

    @extend_schema_field(AttemptOut(many=True))
    def get_attempts(self, batch: ExchangeBatch) -> Any:
        found: Any = selectors.attempts(batch.pk)
        return AttemptOut(found, many=True, context={"symbol": batch.currency.symbol}).data
