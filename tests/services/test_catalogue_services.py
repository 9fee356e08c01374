"""Writing products: history of prices, duplicates, archiving, pictures."""

import io
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from PIL import Image

from shop.catalogue import images, services
from shop.catalogue.errors import (
    NoSuchCategory,
    NoSuchProduct,
    NotAPicture,
    PictureTooLarge,
    SkuTaken,
    SlugTaken,
    TooManyPixels,
    WindowReversed,
)
from shop.catalogue.models import PriceChange, Product
from tests.factories.shop import ProductFactory
from tests.factories.users import StaffFactory

pytestmark = pytest.mark.django_db


def create(**fields: Any) -> Product:
    draft: Any = {"name": "Green Desk", "sku": "GD-1", "list_price": 5000, **fields}
    return services.product_create(draft=draft, actor_id=None)


def test_a_new_product_has_a_slug_an_empty_stock_and_a_first_price() -> None:
    product = create()
    assert product.slug == "green-desk"
    assert product.stock.on_hand == 0
    first = PriceChange.objects.get(product=product)
    assert (first.price, first.member_price, first.list_price) == (5000, 5000, 5000)


def test_a_name_that_is_taken_or_has_no_latin_letter_borrows_the_sku() -> None:
    create()
    assert create(sku="GD-2").slug == "green-desk-gd-2"
    assert create(name="書架", sku="GD-3").slug == "gd-3"


def test_a_slug_or_sku_of_another_product_is_refused_by_name() -> None:
    create()
    with pytest.raises(SlugTaken):
        create(slug="green-desk", sku="GD-9")
    with pytest.raises(SkuTaken):
        create(slug="other")
    assert Product.objects.filter(name="Green Desk").count() == 1


def test_a_change_of_price_is_written_down_with_its_author() -> None:
    product, actor = create(), StaffFactory()
    changes: Any = {"discount_percent": 20, "discount_members_only": True}
    services.product_update(slug=product.slug, changes=changes, actor_id=actor.pk)
    newest = PriceChange.objects.filter(product=product).latest("id")
    assert (newest.price, newest.member_price, newest.actor) == (5000, 4000, actor)


def test_a_change_of_words_is_no_change_of_price() -> None:
    product = create()
    services.product_update(slug=product.slug, changes={"name": "Desk"}, actor_id=None)
    assert PriceChange.objects.filter(product=product).count() == 1


def test_a_window_is_checked_against_what_is_already_stored() -> None:
    product = create()
    start, end = product.created_at, product.updated_at
    services.product_update(slug=product.slug, changes={"discount_ends_at": end}, actor_id=None)
    with pytest.raises(WindowReversed):
        services.product_update(
            slug=product.slug, changes={"discount_starts_at": start}, actor_id=None
        )


def test_an_unknown_category_or_product_is_refused() -> None:
    with pytest.raises(NoSuchCategory):
        create(category="nowhere")
    with pytest.raises(NoSuchProduct):
        services.product_update(slug="nothing", changes={"name": "x"}, actor_id=None)


def test_archiving_twice_keeps_the_first_moment() -> None:
    product = create()
    services.product_archive(slug=product.slug, actor_id=None)
    first = Product.objects.get(pk=product.pk).archived_at
    services.product_archive(slug=product.slug, actor_id=None)
    assert Product.objects.get(pk=product.pk).archived_at == first
    services.product_restore(slug=product.slug, actor_id=None)
    assert Product.objects.get(pk=product.pk).archived_at is None


@pytest.mark.parametrize(
    "broken",
    [{"list_price": 0}, {"discount_percent": 100}, {"discount_percent": -1}],
)
def test_the_database_refuses_impossible_terms(broken: dict[str, int]) -> None:
    product = ProductFactory()
    with pytest.raises(IntegrityError), transaction.atomic():
        Product.objects.filter(pk=product.pk).update(**broken)


def picture(kind: str = "PNG", size: tuple[int, int] = (60, 40), **options: Any) -> io.BytesIO:
    out = io.BytesIO()
    Image.new("RGB", size, "red").save(out, kind, **options)
    out.seek(0)
    return out


def set_image(product: Product, upload: io.BytesIO, size: int = 1000) -> str:
    services.product_set_image(slug=product.slug, upload=upload, size=size, actor_id=None)
    return Product.objects.get(pk=product.pk).image


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_is_kept_as_webp_under_a_random_name(kind: str) -> None:
    image = set_image(ProductFactory(), picture(kind))
    assert image.startswith("media:catalogue/")
    with default_storage.open(image.removeprefix("media:")) as kept:
        assert Image.open(kept).format == "WEBP"


def test_nothing_that_was_hidden_in_a_picture_survives() -> None:
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    kept = images.reencode(picture("JPEG", exif=exif.tobytes()))
    assert b"taken at home" not in kept


def test_a_new_picture_replaces_the_old_file() -> None:
    product = ProductFactory()
    old = set_image(product, picture())
    set_image(product, picture())
    assert not default_storage.exists(old.removeprefix("media:"))


def test_a_large_picture_is_made_smaller() -> None:
    kept = Image.open(io.BytesIO(images.reencode(picture(size=(3200, 400)))))
    assert kept.size == (1600, 200)


@pytest.mark.parametrize(
    "content",
    [b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a", picture().getvalue()[:60]],
    ids=["empty", "svg", "gif", "cut off"],
)
def test_what_is_no_whole_png_jpeg_or_webp_is_refused(content: bytes) -> None:
    with pytest.raises(NotAPicture):
        set_image(ProductFactory(), io.BytesIO(content))


def test_too_many_bytes_or_pixels_are_refused() -> None:
    with pytest.raises(PictureTooLarge):
        set_image(ProductFactory(), picture(), size=images.MAX_BYTES + 1)
    with pytest.raises(TooManyPixels):
        set_image(ProductFactory(), picture(size=(6000, 4001)))
