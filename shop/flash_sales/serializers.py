"""Flash sales as clients see them, and what staff may write."""

from typing import Any, ClassVar

from django.core.validators import RegexValidator
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from common.api.serializers import (
    CursorQuery,
    MoneyField,
    PageQuery,
    QuerySerializer,
    StrictCharField,
    StrictIntegerField,
    StrictSerializer,
)
from shop.flash_sales.models import FlashRun
from shop.flash_sales.rules import MAX_ALLOCATION, RunStatus
from shop.flash_sales.waiting.rules import MAX_RATE
from shop.flash_sales.waiting.serializers import MOST_TICKET
from shop.orders.rules import MAX_TOTAL

STATUSES = [status.value for status in RunStatus]
ENDS = [end.value for end in FlashRun.End]


class SaleQuery(PageQuery):
    status = serializers.ChoiceField(STATUSES, required=False)


class LeaderboardQuery(CursorQuery):
    """`run` is a run's number."""

    run = serializers.IntegerField(min_value=1, max_value=10**9, required=False)


class StreamQuery(QuerySerializer):
    """`events`: the stream ends after so many. `ticket`: its place is told of as well."""

    events = serializers.IntegerField(min_value=1, max_value=1000, required=False)
    ticket = serializers.CharField(max_length=MOST_TICKET, required=False)


class LimitField(StrictIntegerField):
    """Units that one order or user may have; null where there is no limit."""

    def __init__(self) -> None:
        super().__init__(min_value=1, max_value=MAX_ALLOCATION, required=False, allow_null=True)


class ConditionIn(StrictSerializer):
    """What buyers are told of to whom and why this is offered."""

    example: ClassVar = {"name": "First come, first served", "description": "While units last."}

    name = StrictCharField(max_length=200, allow_blank=True, source="condition_name")
    description = StrictCharField(
        max_length=2000, allow_blank=True, default="", source="condition_description"
    )


class OfferIn(StrictSerializer):
    """What is left out stays as it is."""

    example: ClassVar = {"price": "4.50", "per_user_limit": 3}

    price = MoneyField(max_minor=MAX_TOTAL, required=False)
    per_order_limit = LimitField()
    per_user_limit = LimitField()
    condition = ConditionIn(required=False, source="*")
    admission_rate = StrictIntegerField(
        min_value=1,
        max_value=MAX_RATE,
        required=False,
        allow_null=True,
        help_text="Buyers admitted in a second; null: there is no waiting room.",
    )


class ChangeIn(OfferIn):
    """What is left out stays as it is.

    `allocation`, `starts_at` and `ends_at` are those of the live run, or else of the next.
    """

    example: ClassVar = {"price": "4.50", "per_user_limit": 3, "allocation": 150}

    default_error_messages = {"window_reversed": "A run ends after it has started."}

    allocation = StrictIntegerField(
        min_value=1,
        max_value=MAX_ALLOCATION,
        required=False,
        help_text="Not fewer while the run is live.",
    )
    starts_at = serializers.DateTimeField(
        required=False, help_text="In the future; stays while the run is live."
    )
    ends_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="Not sooner while the run is live."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        starts_at, ends_at = attrs.get("starts_at"), attrs.get("ends_at")
        if starts_at is not None and ends_at is not None and ends_at <= starts_at:
            message = self.error_messages["window_reversed"]
            raise serializers.ValidationError({"ends_at": message}, code="window_reversed")
        return attrs


class RunIn(StrictSerializer):
    """`[starts_at, ends_at)`; without an end until all is paid for, or the next run starts.

    `allocation` is the last run's where it is left out.
    """

    example: ClassVar = {
        "starts_at": "2030-01-31T18:00:00Z",
        "ends_at": "2030-01-31T19:00:00Z",
        "allocation": 100,
    }

    default_error_messages = {"window_reversed": "A run ends after it has started."}

    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(required=False, allow_null=True)
    allocation = StrictIntegerField(min_value=1, max_value=MAX_ALLOCATION, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        ends_at = attrs.get("ends_at")
        if ends_at is not None and ends_at <= attrs["starts_at"]:
            message = self.error_messages["window_reversed"]
            raise serializers.ValidationError({"ends_at": message}, code="window_reversed")
        return attrs


class SaleIn(OfferIn, RunIn):
    """A sale and its first run; `slug` is made from the product's where it is left out."""

    example: ClassVar = {
        "product": "desk-lamp",
        "price": "5.00",
        "allocation": 100,
        "starts_at": "2030-01-31T18:00:00Z",
        "per_user_limit": 2,
        "condition": ConditionIn.example,
    }

    product = StrictCharField(max_length=100)
    price = MoneyField(max_minor=MAX_TOTAL)
    allocation = StrictIntegerField(min_value=1, max_value=MAX_ALLOCATION)
    slug = StrictCharField(
        max_length=100,
        required=False,
        validators=[
            RegexValidator(
                r"^[a-z0-9]+(?:-[a-z0-9]+)*\Z", "Lower-case letters, digits and single dashes."
            )
        ],
    )


class ConditionOut(serializers.Serializer[Any]):
    name = serializers.CharField(source="condition_name", help_text="Blank where there is none.")
    description = serializers.CharField(source="condition_description")


class UnitsOut(serializers.Serializer[Any]):
    """Of one run at one moment."""

    status = serializers.ChoiceField(STATUSES)
    allocation = serializers.IntegerField(source="run.allocation")
    remaining = serializers.IntegerField(source="counts.free", help_text="To be had now.")
    held = serializers.IntegerField(source="counts.held", help_text="Of orders not yet paid.")
    sold = serializers.IntegerField(source="counts.sold")


class FlashRunOut(UnitsOut):
    """One run at one moment."""

    number = serializers.IntegerField(source="run.number")
    starts_at = serializers.DateTimeField(source="run.starts_at")
    ends_at = serializers.DateTimeField(source="run.ends_at", allow_null=True)


class RunStockOut(serializers.Serializer[Any]):
    """The units of one run at one moment."""

    run = serializers.IntegerField(help_text="The run's number.")
    status = serializers.ChoiceField(STATUSES)
    allocation = serializers.IntegerField()
    remaining = serializers.IntegerField(help_text="To be had now.")
    held = serializers.IntegerField(help_text="Of orders not yet paid.")
    sold = serializers.IntegerField()
    as_of = serializers.DateTimeField(help_text="When they were so, by the database's clock.")


class NextRunOut(serializers.Serializer[FlashRun]):
    number = serializers.IntegerField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(allow_null=True)
    allocation = serializers.IntegerField()


class FlashSaleOut(serializers.Serializer[Any]):
    """A sale; `run` is the current one, or else the last, or else the first to come."""

    slug = serializers.CharField(source="sale.slug")
    product = serializers.CharField(source="sale.product.slug", help_text="A product's slug.")
    currency = serializers.CharField(source="sale.product.currency")
    price = MoneyField(source="sale.price")
    list_price = MoneyField(source="sale.product.list_price", help_text="The product's.")
    condition = ConditionOut(source="sale")
    per_order_limit = serializers.IntegerField(source="sale.per_order_limit", allow_null=True)
    per_user_limit = serializers.IntegerField(source="sale.per_user_limit", allow_null=True)
    admission_rate = serializers.IntegerField(
        source="sale.admission_rate",
        allow_null=True,
        help_text="Buyers whom the waiting room admits in a second; null where there is none.",
    )
    run = FlashRunOut(allow_null=True)
    next_run = NextRunOut(allow_null=True)
    server_time = serializers.DateTimeField(source="at", help_text="The clock that decides.")

    def to_representation(self, instance: Any) -> Any:
        # What it is now is read once for all rows of a page.
        return super().to_representation(self.context["now"][instance.pk])


class LeaderboardEntryOut(serializers.Serializer[Any]):
    """A paid purchase; its position never changes."""

    position = serializers.IntegerField()
    buyer = serializers.CharField(source="user.display_name")
    quantity = serializers.IntegerField()
    purchased_at = serializers.DateTimeField(source="paid_at")


class StaffFlashRunOut(FlashRunOut):
    """One run with its terms."""

    currency = serializers.CharField(source="run.sale.product.currency")
    price = MoneyField(source="run.price")
    per_order_limit = serializers.IntegerField(source="run.per_order_limit", allow_null=True)
    per_user_limit = serializers.IntegerField(source="run.per_user_limit", allow_null=True)
    returned = serializers.IntegerField(
        source="counts.returned", help_text="Given back to the stock when the run had ended."
    )
    ended_at = serializers.DateTimeField(source="run.ended_at", allow_null=True)
    end = serializers.SerializerMethodField(help_text="Why it has ended.")

    @extend_schema_field({"oneOf": [{"type": "string", "enum": ENDS}, {"type": "null"}]})
    def get_end(self, found: Any) -> str | None:
        return found.run.end or None

    def to_representation(self, instance: Any) -> Any:
        return super().to_representation(self.context["now"][instance.pk])
