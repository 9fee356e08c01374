"""What is sold: categories, products, and the append-only history of prices."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from common.append_only import AppendOnly
from common.fields import MinorUnitsField
from shop.catalogue.rules import Change, Terms


class Category(models.Model):
    slug = models.SlugField(max_length=100, db_index=False)
    name = models.CharField(max_length=100)
    position = models.IntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["slug"], name="category_slug_once")]
        ordering = ["position", "slug"]
        verbose_name_plural = "categories"

    def __str__(self) -> str:
        return self.name


class PriceTerms(models.Model):
    """A list price in minor units and a discount of whole percent in [starts_at, ends_at)."""

    list_price = MinorUnitsField()
    discount_percent = models.SmallIntegerField(default=0)
    discount_starts_at = models.DateTimeField(null=True, blank=True)
    discount_ends_at = models.DateTimeField(null=True, blank=True)
    discount_members_only = models.BooleanField(default=False)

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(list_price__gt=0), name="%(class)s_list_price_positive"
            ),
            models.CheckConstraint(
                condition=Q(discount_percent__gte=0, discount_percent__lte=99),
                name="%(class)s_discount_0_to_99",
            ),
            models.CheckConstraint(
                condition=Q(discount_starts_at=None)
                | Q(discount_ends_at=None)
                | Q(discount_ends_at__gt=F("discount_starts_at")),
                name="%(class)s_discount_window_ordered",
            ),
        ]

    @property
    def terms(self) -> Terms:
        return Terms(
            self.list_price,
            self.discount_percent,
            self.discount_starts_at,
            self.discount_ends_at,
            self.discount_members_only,
        )


class Product(PriceTerms):
    """A thing for sale. `uid` is the id that leaves the server; archived ones are staff's only.

    `image` is empty or says where the picture is: `static:catalogue/table.svg` (ships with the
    code) or `media:catalogue/3f….webp` (uploaded).
    """

    uid = models.UUIDField(default=uuid.uuid4, editable=False)
    slug = models.SlugField(max_length=100, db_index=False)
    sku = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    category = models.ForeignKey(
        Category, models.PROTECT, null=True, blank=True, related_name="products"
    )
    image = models.CharField(max_length=200, blank=True)
    currency = models.CharField(max_length=3, default="USD")
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta(PriceTerms.Meta):
        abstract = False
        constraints = [
            *PriceTerms.Meta.constraints,
            models.UniqueConstraint(fields=["uid"], name="product_uid_once"),
            models.UniqueConstraint(fields=["slug"], name="product_slug_once"),
            models.UniqueConstraint(fields=["sku"], name="product_sku_once"),
        ]
        # The price depends on the moment, so that no index can order by it.
        indexes = [
            models.Index(fields=["archived_at", "name", "id"], name="product_by_name"),
            models.Index(fields=["archived_at", "created_at", "id"], name="product_by_age"),
            models.Index(fields=["category", "archived_at", "name"], name="product_in_category"),
        ]

    def __str__(self) -> str:
        return self.name


class PriceChange(AppendOnly, PriceTerms):
    """The terms of a product from `changed_at` on, never edited; its `first` are no change.

    `price` and `member_price` are what everybody and members paid at that very moment.
    """

    product = models.ForeignKey(Product, models.PROTECT, related_name="price_changes")
    price = MinorUnitsField()
    member_price = MinorUnitsField()
    # So that the newest changes are found among the terms of 100,000 products that were imported.
    first = models.BooleanField(default=False, db_default=False)
    changed_at = models.DateTimeField(db_default=Now())
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta(PriceTerms.Meta):
        abstract = False
        constraints = [
            *PriceTerms.Meta.constraints,
            models.CheckConstraint(
                condition=Q(
                    price__gt=0,
                    price__lte=F("list_price"),
                    member_price__gt=0,
                    member_price__lte=F("price"),
                ),
                name="pricechange_prices_ordered",
            ),
        ]
        indexes = [
            models.Index(fields=["product", "-id"], name="price_change_by_product"),
            models.Index(fields=["first", "changed_at"], name="price_change_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.product_id} from {self.changed_at:%Y-%m-%d}"

    @property
    def change(self) -> Change:
        return Change(self.changed_at, self.terms)
