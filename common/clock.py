"""The one clock that decides deadlines: the database's.

Web and worker hosts may be minutes apart. Deadlines are written and compared with this time only.
"""

from datetime import UTC, datetime

from django.db import connection

_SQL = {
    "mysql": "SELECT UTC_TIMESTAMP(6)",
    "sqlite": "SELECT STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')",
}


def now() -> datetime:
    """The database's current time, aware, UTC. Costs one query."""
    with connection.cursor() as cursor:
        cursor.execute(_SQL[connection.vendor])
        value = cursor.fetchone()[0]
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return moment.replace(tzinfo=UTC)
