"""The coins of the assignment, at its prices, from `migrations_seed/data/currencies.json`.

Rows are found by symbol, and what is already there is left as it is. Going back removes only coins
that nobody has ordered and whose price nobody has changed.
"""

import json
from pathlib import Path

from django.db import migrations

DATA = Path(__file__).resolve().parent.parent / "data"
# Prices are kept in 10^-18 USD.
PRICE_SCALE = 18
CENTS = 2


def rows():
    return json.loads((DATA / "currencies.json").read_text(encoding="utf-8"))


def scaled(text, places):
    whole, part = text.split(".")
    return int(whole + part) * 10 ** (places - len(part))


def add(apps, schema_editor):
    Currency = apps.get_model("payments", "ExchangeCurrency")
    Pool = apps.get_model("payments", "ExchangePool")
    for row in rows():
        values = {
            "name": row["name"],
            "price": scaled(row["price"], PRICE_SCALE),
            "minimum": scaled(row["minimum"], CENTS),
        }
        currency, _ = Currency.objects.get_or_create(symbol=row["symbol"], defaults=values)
        Pool.objects.get_or_create(currency=currency)


def remove(apps, schema_editor):
    for row in rows():
        found = apps.get_model("payments", "ExchangeCurrency").objects.filter(
            symbol=row["symbol"],
            price=scaled(row["price"], PRICE_SCALE),
            orders=None,
            batches=None,
        )
        for currency in found:
            apps.get_model("payments", "ExchangePool").objects.filter(currency=currency).delete()
            currency.delete()


class Migration(migrations.Migration):
    dependencies = [
        ("migrations_seed", "0001_catalogue"),
        ("payments", "0011_exchange"),
    ]
    operations = [migrations.RunPython(add, remove)]
