"""The staff dashboard's query and its JSON, of which a selector has made every value."""

from typing import Any

from rest_framework import serializers

from common.api.serializers import AmountField, QuerySerializer
from dashboards.staff.rules import Granularity

ROWS = "A path of the admin: the rows that this counts."


class PeriodQuery(QuerySerializer):
    to = serializers.DateField(required=False, help_text="Included; today if it is left out.")
    granularity = serializers.ChoiceField(
        [step.value for step in Granularity], required=False, help_text="Of `by_day`."
    )

    def get_fields(self) -> dict[str, Any]:
        # `from` is a word of Python's.
        first = serializers.DateField(required=False, help_text="Included, UTC; 29 days before.")
        return {"from": first, **super().get_fields()}


def _rows() -> Any:
    return serializers.CharField(help_text=ROWS)


class RefundsOut(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    amount = AmountField()
    rows = _rows()


class StepOut(serializers.Serializer[Any]):
    day = serializers.DateField(help_text="The first of the step, UTC.")
    to = serializers.DateField(help_text="The last of it.")
    revenue = AmountField()
    orders = serializers.IntegerField()
    units = serializers.IntegerField()
    refunded = AmountField(help_text="Refunds of sales that were decided in it.")
    rows = _rows()


class MethodFiguresOut(serializers.Serializer[Any]):
    method = serializers.CharField()
    orders = serializers.IntegerField()
    revenue = AmountField()
    refunds = serializers.IntegerField()
    refunded = AmountField()
    rows = _rows()
    refund_rows = _rows()


class ConversionOut(serializers.Serializer[Any]):
    """What became of the orders that were placed in the period, each of which held units."""

    placed = serializers.IntegerField()
    paid = serializers.IntegerField()
    lapsed = serializers.IntegerField(help_text="Cancelled or expired.")
    open = serializers.IntegerField(help_text="Still holding units.")
    rate = serializers.CharField(
        allow_null=True, help_text="Paid of those that were decided, such as 0.8571."
    )
    rows = _rows()
    paid_rows = _rows()
    lapsed_rows = _rows()
    open_rows = _rows()


class CurvePointOut(serializers.Serializer[Any]):
    purchases = serializers.IntegerField(help_text="Paid purchases so far.")
    at = serializers.DateTimeField()


class RunOut(serializers.Serializer[Any]):
    sale = serializers.CharField()
    run = serializers.IntegerField()
    product = serializers.CharField()
    name = serializers.CharField()
    starts_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    allocation = serializers.IntegerField()
    sold = serializers.IntegerField()
    held = serializers.IntegerField()
    curve = CurvePointOut(many=True)
    rows = _rows()


class TableProductOut(serializers.Serializer[Any]):
    """A product with its figures of the period and its terms of this moment."""

    product = serializers.CharField()
    name = serializers.CharField()
    list_price = AmountField()
    discount_percent = serializers.IntegerField()
    available = serializers.IntegerField()
    page = serializers.CharField(help_text="Its page in the admin.")
    orders = serializers.IntegerField()
    units = serializers.IntegerField()
    revenue = AmountField()
    refunded_units = serializers.IntegerField(help_text="Of these units, given back whenever.")
    refunded = AmountField()
    rows = _rows()


class RestOut(serializers.Serializer[Any]):
    """Products beyond the first hundred, together."""

    products = serializers.IntegerField()
    revenue = AmountField()
    units = serializers.IntegerField()


class LowProductOut(serializers.Serializer[Any]):
    product = serializers.CharField()
    name = serializers.CharField()
    on_hand = serializers.IntegerField()
    held = serializers.IntegerField()
    available = serializers.IntegerField()


class LowStockOut(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    threshold = serializers.IntegerField()
    products = LowProductOut(many=True)
    rows = _rows()


class ReviewReasonOut(serializers.Serializer[Any]):
    reason = serializers.CharField()
    count = serializers.IntegerField()
    rows = _rows()


class ReviewsOut(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    reasons = ReviewReasonOut(many=True)
    rows = _rows()


class PriceTermsOut(serializers.Serializer[Any]):
    list_price = AmountField()
    discount_percent = serializers.IntegerField()
    price = AmountField(help_text="What everybody paid when these terms began.")
    member_price = AmountField()


class StretchOut(serializers.Serializer[Any]):
    """Fourteen days at most, bounded by the changes beside this one and by now."""

    units = serializers.IntegerField(help_text="Sold and kept.")
    days = serializers.CharField(help_text="How long it is, such as 13.5.")
    units_per_day = serializers.CharField(allow_null=True, help_text="Null below an hour.")


class PriceEffectOut(serializers.Serializer[Any]):
    product = serializers.CharField()
    name = serializers.CharField()
    changed_at = serializers.DateTimeField()
    by = serializers.CharField(allow_null=True)
    old = PriceTermsOut()
    new = PriceTermsOut()
    before = StretchOut()
    after = StretchOut()
    rows = _rows()


class BatchStateOut(serializers.Serializer[Any]):
    state = serializers.CharField()
    count = serializers.IntegerField(help_text="Ended ones: of those opened in the period.")
    rows = _rows()


class ProviderWindowOut(serializers.Serializer[Any]):
    window = serializers.CharField()
    limit = serializers.IntegerField(allow_null=True)
    used = serializers.IntegerField()
    left = serializers.IntegerField(allow_null=True)
    resets_at = serializers.DateTimeField()


class ProviderBudgetOut(serializers.Serializer[Any]):
    provider = serializers.CharField()
    open_until = serializers.DateTimeField(allow_null=True, help_text="Not asked until then.")
    reason = serializers.CharField(allow_blank=True)
    budgets = ProviderWindowOut(many=True)
    rows = _rows()


class OutboxOut(serializers.Serializer[Any]):
    waiting = serializers.IntegerField()
    overdue = serializers.IntegerField()
    failing = serializers.IntegerField()
    oldest = serializers.DateTimeField(allow_null=True)
    rows = _rows()
    overdue_rows = _rows()
    failing_rows = _rows()


class HealthOut(serializers.Serializer[Any]):
    sales_counted_until = serializers.DateTimeField(allow_null=True)
    payments_counted_until = serializers.DateTimeField(allow_null=True)
    outbox = OutboxOut()


class StaffDashboardOut(serializers.Serializer[Any]):
    """The shop in figures. Revenue is what orders that were paid in the period came to."""

    as_of = serializers.DateTimeField()
    to = serializers.DateField()
    granularity = serializers.CharField()
    currency = serializers.CharField()
    revenue = AmountField(help_text="Before refunds.")
    orders = serializers.IntegerField()
    units = serializers.IntegerField()
    average_order_value = AmountField(allow_null=True)
    refunds = RefundsOut()
    rows = _rows()
    by_day = StepOut(many=True)
    by_method = MethodFiguresOut(many=True)
    by_product = TableProductOut(many=True)
    by_product_rest = RestOut()
    top_sellers = TableProductOut(many=True)
    slow_sellers = TableProductOut(many=True)
    conversion = ConversionOut()
    low_stock = LowStockOut()
    payments_in_review = ReviewsOut()
    price_changes = PriceEffectOut(many=True)
    flash_runs = RunOut(many=True)
    exchange_batches = BatchStateOut(many=True)
    providers = ProviderBudgetOut(many=True)
    health = HealthOut()

    def get_fields(self) -> dict[str, Any]:
        return {"from": serializers.DateField(), **super().get_fields()}

    def to_representation(self, instance: Any) -> Any:
        # Text and numbers already: turned into objects and back, they would be the same.
        return {name: value for name, value in instance.items() if name != "sold"}
