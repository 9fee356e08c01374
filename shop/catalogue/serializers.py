"""The shapes in which the catalogue crosses the HTTP border."""

import re
from typing import Any, ClassVar, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from common import money
from common.api.serializers import (
    AMOUNT,
    MoneyField,
    PageQuery,
    QuerySerializer,
    StrictBooleanField,
    StrictCharField,
    StrictIntegerField,
    StrictSerializer,
)
from shop import ports
from shop.catalogue import images, rules, selectors

_SLUG: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_SKU: Final = re.compile(r"[A-Za-z0-9]+(?:[._/-][A-Za-z0-9]+)*")
_ORDERING: Final = {
    "type": "string",
    "pattern": r"^-?(price|name|created_at)(,-?(price|name|created_at))*$",
    "example": "price,-created_at",
}


class TokenQuery(QuerySerializer):
    token = serializers.RegexField(r"^[A-Z0-9]{1,20}\Z", required=False)


@extend_schema_field(_ORDERING)
class OrderingField(serializers.CharField):
    """`price,-created_at` as `["price", "-created_at"]`; an unknown term is refused by name."""

    default_error_messages = {"invalid_ordering": "'{term}' is not an ordering."}

    def to_internal_value(self, data: Any) -> Any:
        terms = super().to_internal_value(data).split(",")
        for term in terms:
            if term.removeprefix("-") not in selectors.ORDERINGS:
                self.fail("invalid_ordering", term=term)
        return terms


class ProductQuery(PageQuery, TokenQuery):
    search = serializers.CharField(max_length=100, required=False, allow_blank=True)
    category = serializers.CharField(max_length=100, required=False)
    min_price = MoneyField(allow_zero=True, required=False)
    max_price = MoneyField(allow_zero=True, required=False)
    in_stock = serializers.BooleanField(required=False)
    on_sale = serializers.BooleanField(required=False)
    ordering = OrderingField(max_length=100, required=False)


class CategoryQuery(PageQuery):
    search = serializers.CharField(max_length=100, required=False, allow_blank=True)


class StaffProductQuery(PageQuery):
    search = serializers.CharField(max_length=100, required=False, allow_blank=True)
    category = serializers.CharField(max_length=100, required=False)
    archived = serializers.BooleanField(required=False)
    ordering = OrderingField(max_length=100, required=False)


class ProductBody(StrictSerializer):
    """`price` is the list price; the discount comes off it."""

    example: ClassVar = {
        "name": "Desk lamp",
        "sku": "LAMP-01",
        "description": "Of brass, with a linen shade.",
        "price": "49.00",
    }

    name = StrictCharField(max_length=200)
    sku = StrictCharField(max_length=64)
    description = StrictCharField(max_length=10_000, allow_blank=True)
    price = MoneyField(source="list_price")
    slug = StrictCharField(max_length=100, required=False)
    category = StrictCharField(max_length=100, required=False, allow_null=True)
    discount_percent = StrictIntegerField(min_value=0, max_value=99, required=False)
    discount_starts_at = serializers.DateTimeField(required=False, allow_null=True)
    discount_ends_at = serializers.DateTimeField(required=False, allow_null=True)
    discount_members_only = StrictBooleanField(required=False)

    def validate_slug(self, value: str) -> str:
        if not _SLUG.fullmatch(value):
            raise ValidationError("Lower-case letters, digits and single dashes.")
        if not rules.may_be_slug(value):
            raise ValidationError("This is an address of the API.")
        return value

    def validate_sku(self, value: str) -> str:
        if not _SKU.fullmatch(value):
            raise ValidationError("Letters and digits, with . _ / or - between them.")
        return value


class ProductPatch(ProductBody):
    """The same fields, none of them required."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs, partial=True)


class ImageBody(StrictSerializer):
    example: ClassVar = {"image": "(the picture's bytes)"}

    image = serializers.FileField()


class CategoryOut(serializers.Serializer[Any]):
    slug = serializers.CharField()
    name = serializers.CharField()


class TokenPriceOut(serializers.Serializer[Any]):
    token = serializers.CharField()
    amount = serializers.CharField(help_text="In the token's own unit.")
    rate = serializers.CharField(help_text="USD for one token.")
    # The metaclass takes it off the class, where `source` is every field's own attribute.
    source = serializers.CharField()  # type: ignore[assignment]
    as_of = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    stale = serializers.BooleanField()


class ProductOut(serializers.Serializer[Any]):
    """A product as one caller sees it. The fields are declared for the schema's sake only.

    A page of 20 built field by field costs more than its queries.
    """

    id = serializers.UUIDField()
    slug = serializers.CharField()
    sku = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    category = serializers.CharField(allow_null=True, help_text="A category's slug.")
    image = serializers.URLField(allow_null=True)
    currency = serializers.CharField()
    price = MoneyField(help_text="What the caller pays now.")
    list_price = MoneyField()
    member_price = MoneyField(
        allow_null=True, help_text="Set while a discount for registered users is in force."
    )
    discount_percent = serializers.IntegerField(help_text="Of the discount in force; 0 if none.")
    available = serializers.IntegerField(help_text="On hand less held.")
    in_stock = serializers.BooleanField()
    token_price = TokenPriceOut(required=False, allow_null=True, help_text="With `?token=` only.")
    token_price_error = serializers.CharField(
        required=False, help_text="Why `token_price` is null."
    )

    def to_representation(self, instance: Any) -> dict[str, Any]:
        at, currency = selectors.as_of(instance), instance.currency
        price = rules.price(instance.terms, member=self.context["member"], at=at)
        for_members = rules.member_price(instance.terms, at)
        available = instance.stock.available
        return {
            "id": str(instance.uid),
            "slug": instance.slug,
            "sku": instance.sku,
            "name": instance.name,
            "description": instance.description,
            "category": category_slug(instance),
            "image": image_url(instance, self.context),
            "currency": currency,
            "price": money.to_text(price, currency),
            "list_price": money.to_text(instance.list_price, currency),
            "member_price": None if for_members is None else money.to_text(for_members, currency),
            "discount_percent": rules.percent_in_force(instance.terms, at),
            "available": available,
            "in_stock": available > 0,
            **_in_token(price, self.context),
        }


def category_slug(product: Any) -> str | None:
    return product.category.slug if product.category else None


def image_url(product: Any, context: dict[str, Any]) -> str | None:
    path = images.url(product.image)
    return context["request"].build_absolute_uri(path) if path else None


def _in_token(price: int, context: dict[str, Any]) -> dict[str, Any]:
    if "quote" not in context:
        return {}
    if context["quote"] is None:
        return {"token_price": None, "token_price_error": context["quote_error"]}  # nosec B105  # a price
    return {
        "token_price": {
            "token": context["quote"].token,
            "amount": context["quote"].amount(price),
            **context["quote_shown"],
        }
    }


def quote_shown(quote: ports.TokenQuote) -> dict[str, Any]:
    """What all prices of a page say of their rate, written once."""
    return {
        "rate": format(quote.rate, "f"),
        "source": quote.source,
        "as_of": _time(quote.as_of),
        "expires_at": _time(quote.expires_at),
        "stale": quote.stale,
    }


def _time(moment: Any) -> Any:
    return serializers.DateTimeField().to_representation(moment)


class ProductDetailOut(ProductOut):
    lowest_price_30d = MoneyField(help_text="The lowest public price of the last 30 days.")

    def to_representation(self, instance: Any) -> dict[str, Any]:
        lowest = money.to_text(self.context["lowest"], instance.currency)
        return {**super().to_representation(instance), "lowest_price_30d": lowest}


class StaffProductOut(serializers.Serializer[Any]):
    """A product as it is stored; `price` is the list price, as it is written."""

    id = serializers.UUIDField(source="uid")
    slug = serializers.CharField()
    sku = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    category = serializers.SerializerMethodField(help_text="A category's slug.")
    image = serializers.SerializerMethodField()
    currency = serializers.CharField()
    price = MoneyField(source="list_price")
    list_price = MoneyField()
    public_price = serializers.SerializerMethodField(help_text="What a visitor pays now.")
    member_price = serializers.SerializerMethodField(help_text="What a member pays now.")
    discount_percent = serializers.IntegerField()
    discount_starts_at = serializers.DateTimeField(allow_null=True)
    discount_ends_at = serializers.DateTimeField(allow_null=True)
    discount_members_only = serializers.BooleanField()
    on_hand = serializers.IntegerField(source="stock.on_hand")
    held = serializers.IntegerField(source="stock.held")
    available = serializers.IntegerField(source="stock.available")
    archived_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    def get_category(self, product: Any) -> str | None:
        return category_slug(product)

    def get_image(self, product: Any) -> str | None:
        return image_url(product, self.context)

    @extend_schema_field(AMOUNT)
    def get_public_price(self, product: Any) -> str:
        return money.to_text(selectors.price_of(product, member=False), product.currency)

    @extend_schema_field(AMOUNT)
    def get_member_price(self, product: Any) -> str:
        return money.to_text(selectors.price_of(product, member=True), product.currency)


class PriceChangeOut(serializers.Serializer[Any]):
    """Terms that held from `changed_at` on, and what they came to at that moment."""

    changed_at = serializers.DateTimeField()
    price = MoneyField(help_text="What everybody paid at that moment.")
    member_price = MoneyField(help_text="What members paid at that moment.")
    list_price = MoneyField()
    discount_percent = serializers.IntegerField()
    discount_starts_at = serializers.DateTimeField(allow_null=True)
    discount_ends_at = serializers.DateTimeField(allow_null=True)
    discount_members_only = serializers.BooleanField()
    actor = serializers.SerializerMethodField(help_text="E-mail of who changed it.")

    def get_actor(self, change: Any) -> str | None:
        return change.actor.email if change.actor else None
