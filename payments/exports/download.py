"""A file on its way out: the same for the API and for the admin's pages."""

from collections.abc import Iterator
from typing import Any

from django.http import StreamingHttpResponse

from payments.exports import selectors, services


def sent(export: Any, actor_id: int) -> StreamingHttpResponse:
    """The file as a download, once it is written down who has it."""
    content: Iterator[bytes] = selectors.file_of(export)
    services.export_note_fetched(export=export, actor_id=actor_id)
    name = f"{export.kind}-{export.created_at:%Y-%m-%d}-{str(export.uid)[:8]}.csv"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Length": str(export.size),
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingHttpResponse(content, content_type="text/csv; charset=utf-8", headers=headers)
