"""Reads of the audit log."""

from collections.abc import Iterable

from django.contrib.auth import get_user_model
from django.db.models import QuerySet

from common.audit.models import AuditBatch, AuditEntry


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


def head() -> AuditBatch | None:
    """The end of the chain: whoever keeps its digest elsewhere can tell if the end is cut off."""
    return AuditBatch.objects.order_by("-number").first()
