"""Products from a file: all of it or nothing, and a trial that is the same without a trace."""

from typing import Any

import pytest

from common.audit.models import AuditEntry
from shop.imports import services
from shop.imports.errors import ImportRefused
from shop.imports.models import ProductImport
from shop.imports.serializers import sheet_of
from shop.models import PriceChange, Product, Stock, StockMovement
from tests.api.hostile import stored
from tests.factories.orders import own_rollbacks, settled
from tests.factories.shop import CategoryFactory, ProductFactory
from tests.factories.users import StaffFactory

__all__ = ["own_rollbacks", "settled"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rollbacks", "settled")]

HEAD = "sku,name,description,price"


def take(text: str, *, dry_run: bool = False, **more: Any) -> ProductImport:
    raw = text.encode()
    return services.products_import(
        sheet=sheet_of(raw, most=100),
        file=services.File("goods.csv", raw),
        dry_run=dry_run,
        actor_id=StaffFactory().pk,
        **more,
    )


def refused(text: str) -> list[tuple[int | None, str, str]]:
    """Row, column and code of each mistake; nothing is left of the file."""
    staff, before = StaffFactory().pk, stored()
    raw = text.encode()
    with pytest.raises(ImportRefused) as found:
        services.products_import(
            sheet=sheet_of(raw, most=100),
            file=services.File("goods.csv", raw),
            dry_run=False,
            actor_id=staff,
        )
    assert stored() == before
    return [(e["row"], e["column"], e["code"]) for e in found.value.errors]


def counts(made: ProductImport) -> tuple[int, int, int]:
    return made.created, made.changed, made.unchanged


def test_new_products_have_all_that_one_has_that_was_made_alone() -> None:
    CategoryFactory(slug="wood")
    made = take(
        f"{HEAD},category,discount_percent,discount_members_only,on_hand\n"
        "A-1,Ash Desk,Of ash.,50.00,wood,10,TRUE,7\nA-2,Ash Desk,,5,,,,\n"
    )
    assert counts(made) == (2, 0, 0)
    first, second = (Product.objects.get(sku=sku) for sku in ("A-1", "A-2"))
    assert (first.slug, second.slug) == ("ash-desk", "ash-desk-a-2")
    assert (first.list_price, first.category.slug) == (5000, "wood")  # type: ignore[union-attr]
    assert (first.discount_percent, first.discount_members_only) == (10, True)
    assert (second.list_price, second.discount_percent, second.category) == (500, 0, None)
    assert list(first.price_changes.values_list("price", "member_price")) == [(5000, 4500)]
    assert list(first.stock.movements.values_list("kind", "delta")) == [("adjusted", 7)]
    assert (first.stock.on_hand, second.stock.on_hand) == (7, 0)
    acts = AuditEntry.objects.filter(actor_id=made.actor_id).values_list("action", flat=True)
    assert sorted(acts) == ["product.create"] * 2 + ["product.import", "stock.adjust"]


def test_a_row_changes_what_the_file_has_and_leaves_the_rest() -> None:
    product = ProductFactory(sku="B-1", description="Old.", discount_percent=5, stock=4)
    made = take("sku,price,stock_delta\nB-1,12.00,3\n")
    assert made.report == [
        {
            "row": 2,
            "action": "changed",
            "product": product.slug,
            "sku": "B-1",
            "changes": [
                {"column": "price", "old": "10.00", "new": "12.00"},
                {"column": "on_hand", "old": "4", "new": "7"},
            ],
        }
    ]
    product.refresh_from_db()
    assert (product.description, product.discount_percent) == ("Old.", 5)
    assert list(product.price_changes.order_by("pk").values_list("list_price", flat=True)) == [
        1000,
        1200,
    ]
    assert product.stock.movements.latest("pk").kind == "received"


def test_an_empty_cell_takes_category_and_discount_away_and_leaves_slug_and_stock() -> None:
    product = ProductFactory(
        slug="old", sku="C-1", category=CategoryFactory(), discount_percent=5, stock=4
    )
    take("sku,slug,category,discount_percent,on_hand\nC-1,,,,\n")
    product.refresh_from_db()
    assert (product.slug, product.category, product.discount_percent) == ("old", None, 0)
    assert Stock.objects.get(product=product).on_hand == 4


def test_the_same_file_again_changes_nothing_and_writes_no_history() -> None:
    text = f"{HEAD},on_hand\nD-1,Desk,Of oak.,5.00,3\n"
    assert counts(take(text)) == (1, 0, 0)
    rows = (PriceChange.objects.count(), StockMovement.objects.count())
    assert counts(take(text)) == (0, 0, 1)
    assert (PriceChange.objects.count(), StockMovement.objects.count()) == rows


def test_a_trial_tells_the_same_and_leaves_nothing_but_its_report() -> None:
    ProductFactory(sku="E-1", stock=4)
    text = f"{HEAD},on_hand\nE-1,Same,,11.00,9\nE-2,New,,1.00,2\n"
    staff, before = StaffFactory(), stored()
    trial = take(text, dry_run=True, keep=True)
    left = {key: row for key, row in stored().items() if before.get(key) != row}
    assert {label for label, _ in left} == {"shop.ProductImport", "accounts.User"}
    done = take(text)
    assert (trial.report, counts(trial)) == (done.report, counts(done))
    assert (trial.content is not None, done.content) == (True, None)
    assert staff.is_staff


def test_a_product_may_be_named_by_its_slug() -> None:
    product = ProductFactory(slug="oak", sku="OLD")
    assert counts(take("slug,price\noak,12.00\n")) == (0, 1, 0)
    # Where both are there, the SKU says which it is.
    assert counts(take("slug,sku\nelm,OLD\n")) == (0, 1, 0)
    product.refresh_from_db()
    assert (product.slug, product.list_price) == ("elm", 1200)


def test_formulas_are_words_and_what_an_export_put_in_front_goes_off() -> None:
    take(f"{HEAD}\nF-1,=1+1,@SUM(A1),1.00\nF-2,'=1+1,'-5,1.00\n")
    rows = Product.objects.filter(sku__startswith="F-").values_list("name", "description")
    assert list(rows.order_by("sku")) == [("=1+1", "@SUM(A1)"), ("=1+1", "-5")]


def test_every_mistake_is_named_by_its_row_and_column() -> None:
    ProductFactory(slug="taken", sku="G-0")
    assert refused(
        f"{HEAD},slug,category,discount_percent,discount_members_only,on_hand\n"
        "G-1,Desk,,free,,,,,\n"
        "G 2,,,1e3,UP,,101,perhaps,-1\n"
        "G-3,Desk,,-5.00,taken,nowhere,,,\n"
        "G-4,Desk,,1.00,,nowhere,,,\n"
        "G-5,Desk,,1.00,taken,,,,\n"
        "G-5,Desk,,1.00,,,,,\n"
        "g-4,Desk,,1.00,,,,,1.5\n"
        "G-6,Desk\n"
    ) == [
        (2, "price", "invalid"),
        (3, "name", "blank"),
        (3, "sku", "invalid"),
        (3, "price", "invalid"),
        (3, "slug", "invalid"),
        (3, "discount_percent", "max_value"),
        (3, "discount_members_only", "invalid"),
        (3, "on_hand", "min_value"),
        (4, "price", "not_positive"),
        (5, "category", "unknown_category"),
        (6, "slug", "slug_taken"),
        (7, "sku", "duplicate"),
        (8, "on_hand", "invalid"),
        (9, "row", "wrong_width"),
    ]


def test_a_new_product_needs_what_the_api_asks_for() -> None:
    assert refused("sku,price\nH-1,1.00\n") == [(2, "name", "required")]
    assert refused("sku,name,price\nH-1,Desk,1.00\n") == [(2, "description", "required")]
    assert refused("slug,name,description,price\nnew,Desk,,1.00\n") == [(2, "sku", "required")]
    assert refused(f"{HEAD},slug\nH-1,Desk,,1.00,import\n") == [(2, "slug", "invalid")]


def test_stock_that_is_held_a_window_reversed_and_both_ways_to_count_are_refused() -> None:
    product = ProductFactory(sku="I-1", stock=5)
    Stock.objects.filter(product=product).update(held=2)
    try:
        assert refused("sku,on_hand\nI-1,1\n") == [(2, "on_hand", "stock_below_held")]
        assert refused("sku,stock_delta\nI-1,-4\n") == [(2, "stock_delta", "stock_below_held")]
    finally:
        Stock.objects.filter(product=product).update(held=0)
    assert refused("sku,on_hand,stock_delta\nI-1,1,1\n") == [(2, "stock_delta", "delta_or_set")]
    window = "2026-01-02T00:00:00Z,2026-01-01T00:00:00Z"
    assert refused(f"sku,discount_starts_at,discount_ends_at\nI-1,{window}\n") == [
        (2, "discount_ends_at", "window_reversed")
    ]


def test_two_rows_that_want_one_slug_and_a_swap_are_refused() -> None:
    ProductFactory(sku="J-1", slug="one")
    ProductFactory(sku="J-2", slug="two")
    assert refused("sku,slug\nJ-1,three\nJ-2,three\n") == [(3, "slug", "duplicate")]
    assert refused("sku,slug\nJ-1,two\nJ-2,one\n") == [
        (2, "slug", "slug_taken"),
        (3, "slug", "slug_taken"),
    ]


def test_of_many_mistakes_a_hundred_are_told_and_all_are_counted() -> None:
    raw = "sku,price\n" + "".join(f"K-{n},x\n" for n in range(150))
    with pytest.raises(ImportRefused) as found:
        services.products_import(
            sheet=sheet_of(raw.encode(), most=1000),
            file=services.File("goods.csv", raw.encode()),
            dry_run=True,
            actor_id=None,
        )
    assert (len(found.value.errors), found.value.extra["total"]) == (100, 150)


def test_a_sku_that_is_taken_in_the_same_moment_is_found_at_the_second_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another import commits the product between our look and our insert."""
    from shop.catalogue.services import many  # noqa: PLC0415

    insert, met = many._insert, []

    def somebody_was_faster(products: Any, now: Any) -> None:
        if not met:
            met.append(True)
            raise many_error
        insert(products, now)

    many_error = services.IntegrityError("made up")
    monkeypatch.setattr(many, "_insert", somebody_was_faster)
    assert counts(take(f"{HEAD}\nL-1,Desk,,1.00\n")) == (1, 0, 0)
    assert met


def test_files_that_were_tried_out_are_let_go() -> None:
    trial = take("sku,name,description,price\nM-1,Desk,,1.00\n", dry_run=True, keep=True)
    assert services.files_forget() == 0
    ProductImport.objects.filter(pk=trial.pk).update(created_at="2026-01-01T00:00:00Z")
    assert services.files_forget() == 1
    trial.refresh_from_db()
    assert trial.content is None


def test_a_thousand_rows_cost_a_few_dozen_queries(django_assert_max_num_queries: Any) -> None:
    raw = f"{HEAD},on_hand\n" + "".join(f"N-{n},Desk {n},,1.00,{n + 1}\n" for n in range(1000))
    sheet, file = sheet_of(raw.encode(), most=1000), services.File("a.csv", raw.encode())
    with django_assert_max_num_queries(60):
        made = services.products_import(sheet=sheet, file=file, dry_run=False, actor_id=None)
    assert counts(made) == (1000, 0, 0)
