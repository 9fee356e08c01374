"""The only place that locks exports."""

from payments.exports.models import Export


def export(export_id: int) -> Export:
    """One export: of two workers at it, the second finds that the first has gone on."""
    return Export.objects.select_for_update().get(pk=export_id)
