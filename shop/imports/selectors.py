"""Reads of imports."""

import zlib
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.functions import Now

from shop.imports.errors import NoSuchImport
from shop.imports.models import ProductImport
from shop.imports.rules import KEPT_FOR


def import_by_uid(uid: UUID | str) -> ProductImport:
    """Raises NoSuchImport."""
    rows = ProductImport.objects.defer("content").select_related("actor", "carried_out_by")
    found = rows.filter(uid=uid).first()
    if found is None:
        raise NoSuchImport
    return found


def content_of(uid: UUID) -> tuple[str, bytes]:
    """The name and the bytes of a file that was tried out. Raises NoSuchImport."""
    trials = ProductImport.objects.filter(uid=uid, content__isnull=False)
    found = trials.values_list("name", "content").first()
    if found is None:
        raise NoSuchImport
    return found[0], zlib.decompress(found[1] or b"")


def is_kept(row: ProductImport) -> bool:
    return ProductImport.objects.filter(pk=row.pk, content__isnull=False).exists()


def may_run(row: ProductImport) -> bool:
    """Whether it is a trial that would do something and has not been carried out."""
    return (
        row.dry_run
        and row.carried_out_at is None
        and row.created + row.changed > 0
        and is_kept(row)
    )


def newest(limit: int) -> QuerySet[ProductImport]:
    rows = ProductImport.objects.defer("content", "report").select_related("actor")
    return rows.order_by("-pk")[:limit]


def forgotten_ids(limit: int) -> list[int]:
    """Trials whose file has been kept long enough."""
    old = ProductImport.objects.filter(dry_run=True, created_at__lt=Now() - KEPT_FOR)
    kept = old.filter(content__isnull=False).order_by("created_at")
    return list(kept.values_list("pk", flat=True)[:limit])
