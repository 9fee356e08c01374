"""Reads of exports, and of the rows that go into them."""

from payments.exports.selectors.files import (
    Bounds,
    after,
    bounds,
    expired_ids,
    export_by_uid,
    export_get,
    exports,
    file_of,
    open_count,
)
from payments.exports.selectors.kinds import SOURCES, Source

__all__ = [
    "SOURCES",
    "Bounds",
    "Source",
    "after",
    "bounds",
    "expired_ids",
    "export_by_uid",
    "export_get",
    "exports",
    "file_of",
    "open_count",
]
