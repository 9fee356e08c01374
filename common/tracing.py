"""Spans of OpenTelemetry, where OTEL_EXPORTER_OTLP_ENDPOINT names a collector; else nothing.

A trace is a request with the tasks it caused: its id is made of the request's id alone, so that
web, outbox and worker agree on it without a column that says so, and a log line leads to the trace.
Whether a trace is kept is decided by that id as well: all of it, or none.
"""

import functools
import hashlib
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from django.conf import settings

from common import context

_HEX: Final = frozenset("0123456789abcdef")


@contextmanager
def span(name: str, **facts: str | int) -> Iterator[None]:
    """A span around a block; of the request that runs. `facts` as the log's: no ids of people."""
    identifier = context.request_id.get()
    exporter = _exporter(settings.TRACES_URL)
    if exporter is None or not identifier or not is_kept(identifier, settings.TRACES_SHARE):
        yield
        return
    with exporter.span(name, trace_id(identifier), {"request_id": identifier, **facts}):
        yield


def trace_id(request_id: str) -> int:
    """128 bits: those of the request's id where it is made like a trace's, else its hash."""
    plain = request_id.replace("-", "").lower()
    if len(plain) == 32 and _HEX.issuperset(plain) and int(plain, 16):
        return int(plain, 16)
    return int.from_bytes(hashlib.blake2b(request_id.encode(), digest_size=16).digest(), "big")


def is_kept(request_id: str, share: float) -> bool:
    """Of all ids about `share` (0 to 1), and of one id always the same."""
    digest = hashlib.blake2b(request_id.encode(), digest_size=8, person=b"share").digest()
    return int.from_bytes(digest, "big") < share * 2**64


@functools.lru_cache(maxsize=1)
def _exporter(url: str) -> Any:
    # Loaded only where it is wanted: the packages are an extra, and take a tenth of a second.
    return importlib.import_module("common.exporter").Exporter(url) if url else None
