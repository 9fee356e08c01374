"""Products, one hot one, and customers: prints their tokens and the hot product's number as JSON.

python benchmarks/oscar/fill.py PRODUCTS CUSTOMERS
"""

import json
import sys

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402  # Django is set up above
from oscar.apps.address.models import Country  # noqa: E402
from oscar.apps.catalogue.models import Product, ProductClass  # noqa: E402
from oscar.apps.partner.models import Partner, StockRecord  # noqa: E402
from rest_framework_simplejwt.tokens import AccessToken  # noqa: E402


def products(count: int) -> int:
    """The first one's number; each has units enough for any rush."""
    kind = ProductClass.objects.create(name="thing", requires_shipping=False, track_stock=True)
    partner = Partner.objects.create(name="souk")
    numbers = []
    for n in range(count):
        product = Product.objects.create(product_class=kind, title=f"Thing {n}", upc=f"thing-{n}")
        StockRecord.objects.create(
            product=product, partner=partner, partner_sku=f"T{n}", price=10, num_in_stock=1_000_000
        )
        numbers.append(product.pk)
    return numbers[0]


def customers(count: int) -> list[str]:
    User.objects.bulk_create(
        User(username=f"b{n}", email=f"b{n}@example.org") for n in range(count)
    )
    return [str(AccessToken.for_user(user)) for user in User.objects.order_by("pk")]


def main() -> None:
    Country.objects.create(
        iso_3166_1_a2="US", printable_name="United States", is_shipping_country=True
    )
    made, people = int(sys.argv[1]), int(sys.argv[2])
    print(json.dumps({"product": products(made), "tokens": customers(people)}))


if __name__ == "__main__":
    main()
