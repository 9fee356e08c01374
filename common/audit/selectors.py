"""Reads of the audit log."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from django.contrib.auth import get_user_model
from django.db.models import Max, QuerySet
from django.db.models.functions import Now

from common.audit.models import AuditBatch, AuditEntry

# Entries commit in another order than that of their keys; no transaction takes nearly as long.
SLACK: Final = timedelta(hours=1)


def entries(*, action: str | None = None, target: str | None = None) -> QuerySet[AuditEntry]:
    """Entries by exact action and target."""
    found = AuditEntry.objects.select_related("seal")
    if action:
        found = found.filter(action=action)
    return found.filter(target=target) if target else found


def usernames(of: Iterable[AuditEntry]) -> dict[int, str]:
    """Who acted, by key: one query for a page."""
    keys = {entry.actor_id for entry in of if entry.actor_id is not None}
    users = get_user_model().objects.filter(pk__in=keys)
    return dict(users.values_list("pk", "username"))


def unsealed() -> QuerySet[AuditEntry]:
    """Entries that are in no batch, the oldest first.

    A batch takes the oldest there are: an entry before the end of one that is `SLACK` old was
    sealed then, or never committed. Looked for from the beginning, every entry that ever was is
    read each minute.
    """
    waiting = AuditEntry.objects.filter(seal=None).order_by("pk")
    old = AuditBatch.objects.filter(sealed_at__lte=Now() - SLACK).order_by("-number").first()
    last = old and old.seals.aggregate(last=Max("entry_id"))["last"]
    return waiting.filter(pk__gt=last) if last else waiting


def head() -> AuditBatch | None:
    """The end of the chain: whoever keeps its digest elsewhere can tell if the end is cut off."""
    return AuditBatch.objects.order_by("-number").first()
