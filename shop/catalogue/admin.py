"""Categories and products in Django's admin; prices and archiving go through the services."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest

from common import money
from common.admin.display import amount
from shop.catalogue import rules, services
from shop.catalogue.models import Category, PriceChange, Product

_FIELDS = (
    "name",
    "sku",
    "slug",
    "description",
    "discount_percent",
    "discount_starts_at",
    "discount_ends_at",
    "discount_members_only",
)


class ProductForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    """The list price in dollars instead of cents."""

    price = forms.DecimalField(
        min_value=Decimal("0.01"), max_digits=14, decimal_places=2, label="List price (USD)"
    )

    class Meta:
        model = Product
        fields = (*_FIELDS, "category")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            stored = money.from_minor(self.instance.list_price, self.instance.currency)
            self.fields["price"].initial = stored

    def clean_slug(self) -> str:
        slug: str = self.cleaned_data["slug"]
        if not rules.may_be_slug(slug):
            raise ValidationError("This is an address of the API.", code="reserved")
        return slug

    def changes(self) -> Any:
        data = self.cleaned_data
        category = data["category"].slug if data["category"] else None
        written = {name: data[name] for name in _FIELDS}
        return {
            **written,
            "category": category,
            "list_price": money.to_minor(data["price"], self.instance.currency),
        }


class PriceHistoryInline(admin.TabularInline):  # type: ignore[type-arg]  # generic in the stubs only
    model = PriceChange
    verbose_name_plural = "price history"
    fields = readonly_fields = (
        "changed_at",
        "shown_price",
        "shown_member_price",
        "shown_list_price",
        "discount_percent",
        "discount_members_only",
        "actor",
    )
    ordering = ("-id",)
    extra = 0
    can_delete = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[PriceChange]:
        return super().get_queryset(request).select_related("product", "actor")

    @admin.display(description="price")
    def shown_price(self, change: PriceChange) -> str:
        return amount(change.price, change.product.currency)

    @admin.display(description="member price")
    def shown_member_price(self, change: PriceChange) -> str:
        return amount(change.member_price, change.product.currency)

    @admin.display(description="list price")
    def shown_list_price(self, change: PriceChange) -> str:
        return amount(change.list_price, change.product.currency)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Product)
class ProductAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    form = ProductForm
    fields = ("name", "sku", "slug", "description", "category", "price", *_FIELDS[4:])
    prepopulated_fields = {"slug": ("name",)}
    search_fields = ("name", "sku", "slug", "description")
    list_display = ("name", "sku", "category", "shown_price", "discount_percent", "archived_at")
    list_filter = (
        "category",
        "discount_members_only",
        ("archived_at", admin.EmptyFieldListFilter),
    )
    list_select_related = ("category",)
    inlines = (PriceHistoryInline,)
    actions = ("archive", "restore")

    @admin.display(description="list price", ordering="list_price")
    def shown_price(self, product: Product) -> str:
        return amount(product.list_price, product.currency)

    @admin.action(description="Archive the chosen products")
    def archive(self, request: HttpRequest, queryset: QuerySet[Product]) -> None:
        for slug in queryset.values_list("slug", flat=True):
            services.product_archive(slug=slug, actor_id=request.user.pk)

    @admin.action(description="Put the chosen products on sale again")
    def restore(self, request: HttpRequest, queryset: QuerySet[Product]) -> None:
        for slug in queryset.values_list("slug", flat=True):
            services.product_restore(slug=slug, actor_id=request.user.pk)

    def save_model(self, request: HttpRequest, obj: Product, form: Any, change: bool) -> None:
        actor_id = request.user.pk
        if change:
            slug = form.initial["slug"]
            services.product_update(slug=slug, changes=form.changes(), actor_id=actor_id)
        else:
            obj.pk = services.product_create(draft=form.changes(), actor_id=actor_id).pk

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Category)
class CategoryAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    search_fields = ("name", "slug")
    list_display = ("name", "slug", "position")
    prepopulated_fields = {"slug": ("name",)}

    def save_model(self, request: HttpRequest, obj: Category, form: Any, change: bool) -> None:
        services.category_save(category=obj, actor_id=request.user.pk)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
