"""Moments as clients see them."""

from datetime import datetime


def moment_text(moment: datetime) -> str:
    """RFC 3339, with Z for UTC; as serializers write it, for those that do without one."""
    return moment.isoformat().replace("+00:00", "Z")
