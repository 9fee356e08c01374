"""Moments as clients see them, and how long after one of them a row may still come."""

from datetime import datetime, timedelta
from typing import Final

# A row has its moment and its key before it is committed, and is seen after: no transaction takes
# longer.
SLACK: Final = timedelta(minutes=5)


def moment_text(moment: datetime) -> str:
    """RFC 3339, with Z for UTC; as serializers write it, for those that do without one."""
    return moment.isoformat().replace("+00:00", "Z")
