"""Reads of the catalogue. Every product comes with `as_of`, the database's time of the reading.

The price a caller pays is computed twice: in SQL to filter and order by it, in Python (`rules`) to
show it. Both use `as_of`, and both round half up to one minor unit and never below one.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import (
    BigIntegerField,
    Case,
    DateTimeField,
    F,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Greatest, Now

from shop.catalogue import images, rules
from shop.catalogue.errors import NoSuchCategory, NoSuchProduct
from shop.catalogue.models import Category, PriceChange, Product

ORDERINGS: Final = {"price": "caller_price", "name": "name", "created_at": "created_at"}

_AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True)
class PricedProduct:
    """A product and its unit price, in minor units, for one caller at one moment."""

    id: int
    slug: str
    sku: str
    name: str
    price: int
    currency: str


@dataclass(frozen=True, slots=True)
class ProductFilter:
    """What a list is narrowed to; prices are what the caller pays, in minor units.

    `ordering` holds keys of ORDERINGS, each with a leading "-" for descending.
    """

    search: str = ""
    category: str | None = None
    min_price: int | None = None
    max_price: int | None = None
    in_stock: bool | None = None
    on_sale: bool | None = None
    ordering: Sequence[str] = ("name",)

    @property
    def needs_price(self) -> bool:
        """Whether SQL has to know what the caller pays: the expression takes a while to build."""
        bounds = (self.min_price, self.max_price)
        return bounds != (None, None) or any(term.endswith("price") for term in self.ordering)


def priced_products(slugs: Collection[str], *, member: bool) -> dict[str, PricedProduct]:
    """The products on sale among `slugs`, by slug, at the caller's price of this moment."""
    rows = Product.objects.filter(slug__in=slugs, archived_at=None).annotate(as_of=Now())
    return {row.slug: _priced(row, member) for row in rows}


def _priced(row: Product, member: bool) -> PricedProduct:
    price = price_of(row, member=member)
    return PricedProduct(row.pk, row.slug, row.sku, row.name, price, row.currency)


def price_of(product: Product, *, member: bool) -> int:
    """What a caller pays for a product that one of these selectors has read."""
    return rules.price(product.terms, member=member, at=as_of(product))


def as_of(product: Product) -> datetime:
    """The database's time at which a selector read this product."""
    moment: datetime = product.as_of  # type: ignore[attr-defined]  # annotated by the query
    return moment


def product_list(
    *, member: bool, wanted: ProductFilter = ProductFilter(), at: datetime | None = None
) -> QuerySet[Product]:
    """Products on sale, with category and stock. Raises NoSuchCategory.

    `at` stands in for the database's clock, so that a test can stand on a window's border.
    """
    rows = _searched(_read(at).filter(archived_at=None), wanted.search, wanted.category)
    rows = _priced_between(rows, wanted, member=member, at=at)
    return _in_order(_stocked(rows, wanted.in_stock), wanted.ordering)


def product_get(slug: str) -> Product:
    """One product on sale, with category and stock. Raises NoSuchProduct."""
    return _one(_read(None).filter(archived_at=None, slug=slug))


def products_by_id(ids: Collection[int]) -> dict[int, Product]:
    """Those of them that are on sale, with category and stock."""
    return {row.pk: row for row in _read(None).filter(pk__in=ids, archived_at=None)}


def picture(product: Product) -> str | None:
    """The path of its picture, or a whole URL where the storage gives one."""
    return images.url(product.image)


def staff_product_list(
    *, search: str, category: str | None, archived: bool | None, ordering: Sequence[str]
) -> QuerySet[Product]:
    """Products, archived ones included unless `archived` says otherwise; prices are members'."""
    rows = _searched(_read(None), search, category)
    if archived is not None:
        rows = rows.filter(archived_at__isnull=not archived)
    return _in_order(rows.alias(caller_price=_caller_price(member=True, at=None)), ordering)


def staff_product_get(slug: str) -> Product:
    """One product, archived or not. Raises NoSuchProduct."""
    return _one(_read(None).filter(slug=slug))


def product_by_uid(uid: str) -> Product:
    """One product, archived or not, by the id that leaves the server. Raises NoSuchProduct."""
    return _one(_read(None).filter(uid=uid))


def products_by(column: str, values: Sequence[str]) -> dict[str, Product]:
    """Products, archived or not, by `rules.same` of their slug or SKU; with category."""
    found: dict[str, Product] = {}
    for part in _parts(values):
        rows = Product.objects.filter(**{f"{column}__in": part}).select_related("category")
        found |= {rules.same(getattr(row, column)): row for row in rows}
    return found


def taken(column: str, values: Sequence[str]) -> dict[str, int]:
    """Whose these slugs or SKUs are: primary keys by `rules.same` of the value."""
    found: dict[str, int] = {}
    for part in _parts(values):
        rows = Product.objects.filter(**{f"{column}__in": part}).values_list(column, "pk")
        found |= {rules.same(value): pk for value, pk in rows}
    return found


def _parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]


def categories_by_slug() -> dict[str, Category]:
    return {row.slug: row for row in Category.objects.all()}


def price_history(slug: str) -> QuerySet[PriceChange]:
    """The changes of a product's terms, with who made them. Raises NoSuchProduct."""
    product_id = Product.objects.filter(slug=slug).values_list("pk", flat=True).first()
    if product_id is None:
        raise NoSuchProduct
    return PriceChange.objects.filter(product_id=product_id).select_related("actor")


@dataclass(frozen=True, slots=True)
class PriceStep:
    """A change of a product's terms between the one before and, if there is one, the next."""

    change: PriceChange
    before: PriceChange
    until: datetime | None


def price_steps(
    *, since: datetime, until: datetime, limit: int, product_id: int | None = None
) -> list[PriceStep]:
    """The newest changes in [since, until); a product's first terms are no change."""
    others = PriceChange.objects.filter(product=OuterRef("product")).order_by()
    changed = PriceChange.objects.filter(first=False, changed_at__gte=since, changed_at__lt=until)
    changed = changed if product_id is None else changed.filter(product_id=product_id)
    rows = changed.select_related("product", "actor").annotate(
        earlier=Subquery(others.filter(pk__lt=OuterRef("pk")).order_by("-pk").values("pk")[:1]),
        ended_at=Subquery(
            others.filter(pk__gt=OuterRef("pk")).order_by("pk").values("changed_at")[:1]
        ),
    )
    found = list(rows.filter(earlier__isnull=False).order_by("-changed_at", "-pk")[:limit])
    before = PriceChange.objects.in_bulk([row.earlier for row in found])
    return [PriceStep(row, before[row.earlier], row.ended_at) for row in found]


def product_names(ids: Collection[int]) -> dict[int, tuple[str, str]]:
    """Slug and name of these products, archived or not."""
    rows = Product.objects.filter(pk__in=ids).order_by().values_list("pk", "slug", "name")
    return {pk: (slug, name) for pk, slug, name in rows}


def staff_products(ids: Collection[int]) -> dict[int, Product]:
    """These products, archived or not, with category and stock."""
    return {row.pk: row for row in _read(None).filter(pk__in=ids)}


def products_but(ids: Collection[int], *, limit: int) -> list[Product]:
    """Products on sale that are none of these, the oldest first, with category and stock."""
    rows = _read(None).filter(archived_at=None).exclude(pk__in=ids)
    return list(rows.order_by("created_at", "pk")[:limit])


def lowest_price_30d(product: Product) -> int:
    """The lowest price anybody could have paid in the 30 days up to the product's reading."""
    until = as_of(product)
    history = PriceChange.objects.filter(product=product)
    before = history.filter(changed_at__lte=until - rules.LOOK_BACK)
    # The change before the window's start says what was in force at its start.
    first = before.order_by().values("product").annotate(newest=Max("id")).values("newest")
    recent = history.filter(Q(changed_at__gt=until - rules.LOOK_BACK) | Q(id__in=first))
    changes = [row.change for row in recent.order_by("id")]
    changes = changes or [rules.Change(until, product.terms)]
    return rules.lowest_public_price(changes, until=until)


def category_list(*, search: str = "") -> QuerySet[Category]:
    rows = Category.objects.filter(name__icontains=search) if search else Category.objects.all()
    return rows.order_by("position", "slug")


def _one(rows: QuerySet[Product]) -> Product:
    found = rows.first()
    if found is None:
        raise NoSuchProduct
    return found


def _read(at: datetime | None) -> QuerySet[Product]:
    return Product.objects.select_related("category", "stock").annotate(as_of=_moment(at))


def _moment(at: datetime | None) -> Combinable:
    # Uncast, MySQL gives a literal moment back as text.
    return Now() if at is None else Cast(Value(at), DateTimeField())


def _searched(rows: QuerySet[Product], search: str, category: str | None) -> QuerySet[Product]:
    """Every word must occur in name, description or SKU; Django escapes % and _ in `icontains`."""
    for word in search.split():
        rows = rows.filter(
            Q(name__icontains=word) | Q(description__icontains=word) | Q(sku__icontains=word)
        )
    return rows if category is None else rows.filter(category_id=_category_id(category))


def _category_id(slug: str) -> int:
    found = Category.objects.filter(slug=slug).values_list("pk", flat=True).first()
    if found is None:
        raise NoSuchCategory
    return found


def _priced_between(
    rows: QuerySet[Product], wanted: ProductFilter, *, member: bool, at: datetime | None
) -> QuerySet[Product]:
    if wanted.needs_price:
        rows = _between(rows.alias(caller_price=_caller_price(member=member, at=at)), wanted)
    if wanted.on_sale is not None:
        applies = _in_force(member=member, at=at)
        rows = rows.filter(applies if wanted.on_sale else ~applies)
    return rows


def _between(rows: Any, wanted: ProductFilter) -> Any:
    if wanted.min_price is not None:
        rows = rows.filter(caller_price__gte=wanted.min_price)
    return rows if wanted.max_price is None else rows.filter(caller_price__lte=wanted.max_price)


def _stocked(rows: QuerySet[Product], in_stock: bool | None) -> QuerySet[Product]:
    if in_stock is None:
        return rows
    free = Q(stock__on_hand__gt=F("stock__held"))
    return rows.filter(free if in_stock else ~free)


def _in_order(rows: QuerySet[Product], ordering: Sequence[str]) -> QuerySet[Product]:
    terms = [_order_term(term) for term in ordering]
    # Rows that are equal in all terms would wander between pages.
    last = "-pk" if terms and terms[-1].startswith("-") else "pk"
    return rows.order_by(*terms, last)


def _order_term(term: str) -> str:
    sign = "-" if term.startswith("-") else ""
    return sign + ORDERINGS[term.removeprefix("-")]


def _in_force(*, member: bool, at: datetime | None) -> Q:
    """`rules.in_force` for this caller, in SQL."""
    moment = _moment(at)
    started = Q(discount_starts_at=None) | Q(discount_starts_at__lte=moment)
    not_ended = Q(discount_ends_at=None) | Q(discount_ends_at__gt=moment)
    entitled = Q() if member else Q(discount_members_only=False)
    return Q(discount_percent__gt=0) & started & not_ended & entitled


def _caller_price(*, member: bool, at: datetime | None) -> Case:
    """`rules.price` in SQL, in whole numbers: a half rounds up because 50 is added first."""
    hundredfold = F("list_price") * (100 - F("discount_percent")) + 50
    reduced = Greatest(1, (hundredfold - hundredfold % 100) / 100, output_field=BigIntegerField())
    return Case(
        When(_in_force(member=member, at=at), then=reduced),
        default=F("list_price"),
        output_field=BigIntegerField(),
    )
