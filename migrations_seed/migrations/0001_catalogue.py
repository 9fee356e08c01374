"""The sample catalogue of `migrations_seed/data/`: categories, products, stock and first prices.

Rows are found by slug (and SKU), never by number, and what is already there is left as it is: a
second run adds nothing. Going back removes only products that are still as they were added; one
that was since sold, restocked, edited or repriced stays, with its category.
"""

import json
from pathlib import Path

from django.db import migrations
from django.db.models import F

DATA = Path(__file__).resolve().parent.parent / "data"
REASON = "Sample catalogue"


def rows(name):
    return json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))


def cents(text):
    whole, part = text.split(".")
    return int(whole) * 100 + int(part)


def reduced(list_price, percent):
    # The rounding of common.money.less_percent, which may change after this has run.
    return max(1, (list_price * (100 - percent) + 50) // 100)


def add(apps, schema_editor):
    Category = apps.get_model("shop", "Category")
    for row in rows("categories"):
        values = {"name": row["name"], "position": row["position"]}
        Category.objects.get_or_create(slug=row["slug"], defaults=values)
    for row in rows("products"):
        add_product(apps, row)


def add_product(apps, row):
    Product = apps.get_model("shop", "Product")
    known = Product.objects.filter(slug=row["slug"]) | Product.objects.filter(sku=row["sku"])
    if known.exists():
        return
    terms = {
        "list_price": cents(row["price"]),
        "discount_percent": row.get("discount_percent", 0),
        "discount_members_only": row.get("discount_members_only", False),
    }
    product = Product.objects.create(
        slug=row["slug"],
        sku=row["sku"],
        name=row["name"],
        description=row["description"],
        category=apps.get_model("shop", "Category").objects.get(slug=row["category"]),
        image=f"static:catalogue/{row['slug']}.svg",
        **terms,
    )
    add_stock(apps, product, row["stock"])
    add_price(apps, product, terms)


def add_stock(apps, product, quantity):
    stock = apps.get_model("shop", "Stock").objects.create(product=product, on_hand=quantity)
    if quantity:
        apps.get_model("shop", "StockMovement").objects.create(
            stock=stock, kind="received", delta=quantity, reason=REASON
        )


def add_price(apps, product, terms):
    for_members = reduced(terms["list_price"], terms["discount_percent"])
    members_only = terms["discount_members_only"]
    apps.get_model("shop", "PriceChange").objects.create(
        product=product,
        price=terms["list_price"] if members_only else for_members,
        member_price=for_members,
        **terms,
    )


def remove(apps, schema_editor):
    for row in rows("products"):
        remove_product(apps, row)
    Category = apps.get_model("shop", "Category")
    for row in rows("categories"):
        Category.objects.filter(slug=row["slug"], name=row["name"], products=None).delete()


def remove_product(apps, row):
    Product = apps.get_model("shop", "Product")
    # Every change of a product moves updated_at; orders and stock are asked separately.
    product = Product.objects.filter(
        slug=row["slug"], sku=row["sku"], updated_at=F("created_at"), order_lines=None
    ).first()
    if product is None or not is_as_added(apps, product, row["stock"]):
        return
    apps.get_model("shop", "StockMovement").objects.filter(stock_id=product.pk).delete()
    apps.get_model("shop", "Stock").objects.filter(pk=product.pk).delete()
    apps.get_model("shop", "PriceChange").objects.filter(product=product).delete()
    product.delete()


def is_as_added(apps, product, quantity):
    """Its only movement and its only price are the ones that `add` wrote."""
    movements = apps.get_model("shop", "StockMovement").objects.filter(stock_id=product.pk)
    prices = apps.get_model("shop", "PriceChange").objects.filter(product=product)
    received = list(movements.values_list("reason", "delta"))
    expected = [(REASON, quantity)] if quantity else []
    return received == expected and list(prices.values_list("actor")) == [(None,)]


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [migrations.RunPython(add, remove)]
