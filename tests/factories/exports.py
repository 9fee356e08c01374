"""Files that staff have asked for."""

from typing import Any

from payments.exports import services
from payments.exports.models import Export


def exported(actor: Any, kind: str = "products") -> Export:
    """A file that is whole, and the message that a worker would have had for it."""
    made = services.export_start(kind=kind, filters={}, actor_id=actor.pk)
    services.export_make(export_id=made.pk)
    made.refresh_from_db()
    return made
