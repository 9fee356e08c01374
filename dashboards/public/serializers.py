"""The public dashboard's JSON, as its document has it: a selector has made every value."""

from typing import Any

from rest_framework import serializers

from common.api.serializers import AmountField


class CountsOut(serializers.Serializer[Any]):
    products = serializers.IntegerField()
    categories = serializers.IntegerField()
    units_sold_30d = serializers.IntegerField(allow_null=True, help_text="Null: a few.")


class ShownProductOut(serializers.Serializer[Any]):
    """A product as a visitor without an account sees it."""

    slug = serializers.CharField()
    name = serializers.CharField()
    image = serializers.CharField(allow_null=True, help_text="A path, or a URL of the storage.")
    currency = serializers.CharField()
    price = AmountField(help_text="What a visitor pays now.")
    list_price = AmountField()
    member_price = AmountField(allow_null=True, help_text="Where signing in saves something.")
    saving = AmountField(allow_null=True, help_text="Of a member, against the list price.")
    available = serializers.IntegerField()


class WeekOut(serializers.Serializer[Any]):
    week = serializers.DateField(help_text="Its Monday, UTC.")
    units = serializers.IntegerField(allow_null=True, help_text="Null: a few.")


class DayOut(serializers.Serializer[Any]):
    day = serializers.DateField(help_text="UTC.")
    units = serializers.IntegerField(allow_null=True, help_text="Null: a few.")


class TopSellerOut(ShownProductOut):
    units_sold_30d = serializers.IntegerField(allow_null=True, help_text="Null: a few.")
    by_week = WeekOut(many=True)


class ShownSaleOut(serializers.Serializer[Any]):
    """A flash sale with its run that is open or comes next."""

    slug = serializers.CharField()
    product = serializers.CharField()
    name = serializers.CharField()
    image = serializers.CharField(allow_null=True)
    currency = serializers.CharField()
    price = AmountField()
    list_price = AmountField()
    condition = serializers.CharField(allow_blank=True)
    status = serializers.CharField(allow_null=True)
    starts_at = serializers.DateTimeField(allow_null=True)
    ends_at = serializers.DateTimeField(allow_null=True)
    allocation = serializers.IntegerField()
    remaining = serializers.IntegerField(help_text="A few seconds old: the stream is not.")


class ShownCoinOut(serializers.Serializer[Any]):
    coin = serializers.CharField()
    symbol = serializers.CharField()
    name = serializers.CharField()
    price = AmountField(help_text="USD.")
    change_24h = serializers.FloatField(allow_null=True, help_text="Percent.")
    source = serializers.CharField()  # type: ignore[assignment]
    as_of = serializers.DateTimeField()
    stale = serializers.BooleanField()
    points = serializers.ListField(child=AmountField(), help_text="Of the last day, oldest first.")


class DashboardOut(serializers.Serializer[Any]):
    """The shop at a glance; no person is in it, and small numbers are not told."""

    as_of = serializers.DateTimeField(help_text="When all this was read.")
    counts = CountsOut()
    top_sellers = TopSellerOut(many=True)
    sales_by_day = DayOut(many=True)
    new_products = ShownProductOut(many=True)
    discounts = ShownProductOut(many=True)
    flash_sales = ShownSaleOut(many=True)
    coins = ShownCoinOut(many=True)

    def to_representation(self, instance: Any) -> Any:
        # Text and numbers already: turned into objects and back, they would be the same.
        return instance
