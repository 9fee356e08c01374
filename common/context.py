"""The request's id, carried through web, outbox and task."""

import re
import uuid
from contextvars import ContextVar
from typing import Final

request_id: ContextVar[str] = ContextVar("request_id", default="")

_WELL_FORMED: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")


def new_request_id(offered: str | None) -> str:
    """The caller's id where it is well-formed, else a new one."""
    if offered and _WELL_FORMED.fullmatch(offered):
        return offered
    return uuid.uuid4().hex
