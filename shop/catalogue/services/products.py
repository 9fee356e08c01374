"""Writes of one product: its terms, its price history, its picture."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import IO, Any, TypedDict

from django.db import IntegrityError, transaction
from django.utils.text import slugify

from common import clock, shelf
from common.audit.services import changes_of, record
from common.db import after_commit, transactional
from common.idempotency.services import bind
from shop.catalogue import images, locks, rules
from shop.catalogue.errors import (
    NoSuchCategory,
    NoSuchProduct,
    ProductChanged,
    SkuTaken,
    SlugTaken,
    WindowReversed,
)
from shop.catalogue.models import Category, PriceChange, Product
from shop.inventory.services import stock_open


class _Optional(TypedDict, total=False):
    """`category` is a slug or None; without a slug a new product gets one from its name."""

    slug: str
    description: str
    category: str | None
    discount_percent: int
    discount_starts_at: datetime | None
    discount_ends_at: datetime | None
    discount_members_only: bool


class Changes(_Optional, total=False):
    """Fields to write; `list_price` in minor units."""

    name: str
    sku: str
    list_price: int


class Draft(_Optional):
    """A product to be; `list_price` in minor units."""

    name: str
    sku: str
    list_price: int


@transactional
def product_create(*, draft: Draft, actor_id: int | None) -> Product:
    """A new product with no stock yet.

    Raises SlugTaken, SkuTaken, NoSuchCategory or WindowReversed.
    """
    uid = uuid.uuid4()
    bind(str(uid), status=201)
    now = clock.now()
    slug = draft.get("slug") or _free_slug(draft["name"], draft["sku"])
    product = Product(uid=uid, created_at=now)
    _assign(product, {**draft, "slug": slug})
    _store(product, now)
    stock_open(product_id=product.pk)
    _note_price(product, actor_id, now, first=True)
    _audit(actor_id, "product.create", slug, changes_of({}, snapshot(product)))
    return product


@transactional
def product_update(
    *, slug: str, changes: Changes, actor_id: int | None, seen: datetime | None = None
) -> Product:
    """Write the fields given, leave the others. Raises NoSuchProduct, or as `product_create`.

    `seen` is the `updated_at` that the changes go by: ProductChanged where it is another one now.
    """
    product = locks.product(slug)
    if seen is not None and product.updated_at != seen:
        raise ProductChanged
    before, was = product.terms, snapshot(product)
    now = clock.now()
    _assign(product, changes)
    _store(product, now)
    if product.terms != before:
        _note_price(product, actor_id, now, first=False)
    _audit(actor_id, "product.update", slug, changes_of(was, snapshot(product)))
    return product


@transactional
def product_archive(*, slug: str, actor_id: int | None) -> None:
    """Take a product off sale; its orders and its history stay. Archiving again changes nothing."""
    now = clock.now()
    live = Product.objects.filter(slug=slug, archived_at=None)
    if live.update(archived_at=now, updated_at=now):
        _audit(actor_id, "product.archive", slug)
    else:
        _require(slug)


@transactional
def product_restore(*, slug: str, actor_id: int | None) -> None:
    """Put an archived product on sale again."""
    archived = Product.objects.filter(slug=slug, archived_at__isnull=False)
    if archived.update(archived_at=None, updated_at=clock.now()):
        _audit(actor_id, "product.restore", slug)
    else:
        _require(slug)


def product_set_image(*, slug: str, upload: IO[bytes], size: int, actor_id: int | None) -> None:
    """Replace the picture. Raises NoSuchProduct, PictureTooLarge, NotAPicture, TooManyPixels."""
    _require(slug)
    # Decoding takes a second at worst: outside the transaction.
    image = images.keep(upload, size)
    try:
        old = _swap_image(slug, image, actor_id)
    except Exception:
        images.discard(image)
        raise
    images.discard(old)


@transactional
def _swap_image(slug: str, image: str, actor_id: int | None) -> str:
    product = locks.product(slug)
    old, product.image = product.image, image
    product.updated_at = clock.now()
    product.save(update_fields=["image", "updated_at"])
    _audit(actor_id, "product.image", slug, {"image": [old, image]})
    return old


@transactional
def category_save(*, category: Category, actor_id: int | None) -> None:
    """Store a new or changed category. Its slug is checked by whoever has filled it in."""
    old = Category.objects.filter(pk=category.pk).first()
    category.save()
    changed = changes_of(_category_facts(old) if old else {}, _category_facts(category))
    if changed:
        action = "category.update" if old else "category.create"
        target = f"category:{old.slug if old else category.slug}"
        record(actor_id=actor_id, action=action, target=target, data=changed)


def _category_facts(category: Category) -> dict[str, Any]:
    return {name: getattr(category, name) for name in ("slug", "name", "position")}


def _audit(
    actor_id: int | None, action: str, slug: str, data: Mapping[str, Any] | None = None
) -> None:
    record(actor_id=actor_id, action=action, target=f"product:{slug}", data=data)
    after_commit(shelf.forget)


def snapshot(product: Product) -> dict[str, Any]:
    """What the audit log compares; a description by its length, so that entries stay small."""
    names = ("slug", "sku", "name", "category_id", "list_price", "discount_percent")
    window = ("discount_starts_at", "discount_ends_at")
    return {
        **{name: getattr(product, name) for name in names},
        **{name: str(getattr(product, name) or "") for name in window},
        "discount_members_only": product.discount_members_only,
        "description_length": len(product.description),
    }


def _require(slug: str) -> None:
    if not Product.objects.filter(slug=slug).exists():
        raise NoSuchProduct


def _free_slug(name: str, sku: str) -> str:
    """From the name, with the SKU behind it where the name alone is taken or has no letter."""
    plain = plain_slug(name)
    if rules.may_be_slug(plain) and not Product.objects.filter(slug=plain).exists():
        return plain
    return long_slug(name, sku)


def plain_slug(name: str) -> str:
    return slugify(name)[:80].strip("-")


def long_slug(name: str, sku: str) -> str:
    return slugify(f"{plain_slug(name)[:40]} {sku}")


def _assign(product: Product, values: Mapping[str, Any]) -> None:
    assign(product, {n: _category(v) if n == "category" else v for n, v in values.items()})


def assign(product: Product, values: Mapping[str, Any]) -> None:
    """Fields of a product, its category as a row. Raises WindowReversed."""
    for name, value in values.items():
        setattr(product, name, value)
    if not rules.is_ordered(product.discount_starts_at, product.discount_ends_at):
        raise WindowReversed


def _category(slug: str | None) -> Category | None:
    found = Category.objects.filter(slug=slug).first() if slug is not None else None
    if slug is not None and found is None:
        raise NoSuchCategory
    return found


def _store(product: Product, now: datetime) -> None:
    """Save; a slug or SKU that another product has is found by the constraint, not beforehand."""
    product.updated_at = now
    try:
        with transaction.atomic():
            product.save()
    except IntegrityError:
        _refuse_taken(product)
        raise


def _refuse_taken(product: Product) -> None:
    others = Product.objects.exclude(pk=product.pk)
    if others.filter(slug=product.slug).exists():
        raise SlugTaken
    if others.filter(sku=product.sku).exists():
        raise SkuTaken


def _note_price(product: Product, actor_id: int | None, now: datetime, *, first: bool) -> None:
    PriceChange.objects.create(**price_fields(product, actor_id, now, first=first))


def price_fields(
    product: Product, actor_id: int | None, now: datetime, *, first: bool
) -> dict[str, Any]:
    """The row of the price history for a product's terms as they are now."""
    terms = product.terms
    return {
        "product_id": product.pk,
        "actor_id": actor_id,
        "changed_at": now,
        "first": first,
        "price": rules.price(terms, member=False, at=now),
        "member_price": rules.price(terms, member=True, at=now),
        "list_price": terms.list_price,
        "discount_percent": terms.percent,
        "discount_starts_at": terms.starts_at,
        "discount_ends_at": terms.ends_at,
        "discount_members_only": terms.members_only,
    }
