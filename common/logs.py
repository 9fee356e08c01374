"""Log lines of known facts only: what is not on the list is not written, whoever logs it.

The text of a message is its template; its arguments are dropped, since libraries put paths, queries
and values of columns there. Of an exception the type and the places remain, not its words.
"""

import logging
import re
import sys
import traceback
from collections.abc import MutableMapping
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any, Final

import structlog

from common import context

ALLOWED: Final = (
    "method",
    "route",
    "status",
    "duration_ms",
    "user",
    "task",
    "outcome",
    "attempt",
    "count",
    "queue",
    "code",
    "error",
    "breach",
)
MAX_TEXT: Final = 300
MAX_FRAMES: Final = 12

# Belt and braces: a value on the list might still quote one of these.
_SECRETS: Final = re.compile(
    r"(?:\d[ -]?){12,18}\d"  # card numbers
    r"|eyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?"  # JWT
    r"|(?:sk|rk|whsec)_\w+|pi_\w+_secret_\w+"  # Stripe's
    r"|[\w.+-]+@[\w-]+\.[\w.-]+"  # e-mail addresses
    r"|(?i:bearer|basic)\s+\S+"
)

Event = MutableMapping[str, Any]


def scrub(text: str) -> str:
    """`text` on one line, cut, and without what looks like a secret or an address."""
    return _SECRETS.sub("[removed]", " ".join(text.split()))[:MAX_TEXT]


def facts(_logger: Any, _name: str, event: Event) -> Event:
    """structlog processor: a record of the standard library as the facts that may be written."""
    record: logging.LogRecord = event["_record"]
    identifier = context.request_id.get()
    return {
        "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": scrub(str(record.msg)),
        **({"request_id": identifier} if identifier else {}),
        **_extras(record),
        **_failure(event.get("exc_info")),
    }


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    # Celery's own name of a failed task.
    data = getattr(record, "data", None)
    found = {"task": data.get("name")} if isinstance(data, dict) else {}
    found |= {name: getattr(record, name) for name in ALLOWED if hasattr(record, name)}
    return {name: _plain(value) for name, value in found.items() if value is not None}


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | float) else scrub(str(value))


def _failure(exc_info: Any) -> dict[str, Any]:
    if exc_info is True:
        exc_info = sys.exc_info()
    if not exc_info or exc_info[0] is None:
        return {}
    frames = traceback.extract_tb(exc_info[2])[-MAX_FRAMES:]
    places = [f"{'/'.join(PurePath(f.filename).parts[-3:])}:{f.lineno} {f.name}" for f in frames]
    return {"exception": exc_info[0].__name__, "at": places}


def json_formatter() -> logging.Formatter:
    """One JSON object a line."""
    return structlog.stdlib.ProcessorFormatter(
        processors=[facts, structlog.processors.JSONRenderer(ensure_ascii=False)]
    )


def console_formatter() -> logging.Formatter:
    """For the person in front of a terminal."""
    colors = sys.stderr.isatty()
    return structlog.stdlib.ProcessorFormatter(
        processors=[facts, structlog.dev.ConsoleRenderer(colors=colors, sort_keys=False)]
    )


def keep_django_logging(**_: Any) -> None:
    """Receiver of Celery's `setup_logging`: with one connected, Celery adds no handlers."""
