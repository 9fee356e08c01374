"""Say of each product's first terms that they are; apart from the column, to be begun again.

A version of before that still runs says it of none: its are told from changes by their number.
"""

from django.db import migrations
from django.db.models import Min

BATCH = 1_000


def mark(apps, schema_editor):
    PriceChange = apps.get_model("shop", "PriceChange")
    firsts = PriceChange.objects.order_by().values("product_id").annotate(pk_first=Min("pk"))
    last = 0
    # Products by their keys: no batch holds the rows of all for long.
    while found := list(firsts.filter(product_id__gt=last).order_by("product_id")[:BATCH]):
        last = found[-1]["product_id"]
        keys = [row["pk_first"] for row in found]
        PriceChange.objects.filter(pk__in=keys, first=False).update(first=True)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("shop", "0014_newest_first_by_an_index")]

    operations = [migrations.RunPython(mark, migrations.RunPython.noop, elidable=True)]
