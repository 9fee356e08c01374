"""Worlds for the tasks of exports and imports."""

from datetime import timedelta
from typing import Any

from django.db.models.functions import Now

from payments.exports import selectors, services
from payments.exports.models import Export
from shop.imports.models import ProductImport
from tests.factories.exports import exported
from tests.factories.shop import ProductFactory
from tests.factories.users import UserFactory
from tests.faults.cases import Case, Prepare


def make(sandbox: Any) -> Case:
    """A file of several pieces: it is whole, and each row is there once, whoever made which."""
    goods = [ProductFactory().sku for _ in range(5)]
    export = services.export_start(kind="products", filters={}, actor_id=UserFactory().pk)

    def state() -> Any:
        export.refresh_from_db()
        content = b"".join(selectors.file_of(export))
        found = [content.decode().count(f"\n{sku},") for sku in goods]
        return export.status, found, export.size == len(content), export.failures

    return Case(state, {"export_id": export.pk})


def forget(sandbox: Any) -> Case:
    gone, kept = (exported(UserFactory()) for _ in range(2))
    Export.objects.filter(pk=gone.pk).update(expires_at=Now() - timedelta(days=1))
    Export.objects.filter(pk=kept.pk).update(expires_at=Now() + timedelta(days=30))
    found = Export.objects.filter(pk__in=[gone.pk, kept.pk]).order_by("pk")
    return Case(lambda: [(one.status, one.pieces > 0, one.parts.exists()) for one in found.all()])


def forget_files(sandbox: Any) -> Case:
    counts = dict.fromkeys(("rows", "created", "changed", "unchanged"), 0)
    tag = UserFactory().uid.hex
    for age in (timedelta(days=3), timedelta(0)):
        made = ProductImport.objects.create(name=tag, dry_run=True, content=b"x", **counts)
        ProductImport.objects.filter(pk=made.pk).update(created_at=Now() - age)
    kept = ProductImport.objects.filter(name=tag, content__isnull=False)
    return Case(kept.count)


SHEET_CASES: dict[str, Prepare] = {
    "payments.exports.forget": forget,
    "payments.exports.make": make,
    "shop.imports.forget": forget_files,
}
