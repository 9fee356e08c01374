"""The two kinds of list: counted pages for what is browsed, cursors for what grows with use."""

from base64 import b64decode
from datetime import datetime
from operator import gt, itemgetter, lt
from typing import Any, NoReturn
from urllib.parse import parse_qs

from django.core.exceptions import ValidationError as InvalidValue
from rest_framework import pagination
from rest_framework.exceptions import NotFound, ValidationError

DEFAULT_SIZE = 20
MAX_SIZE = 100


class Pages(pagination.PageNumberPagination):
    """`{"count", "next", "previous", "results"}`; a page past the end is 404."""

    page_size = DEFAULT_SIZE
    max_page_size = MAX_SIZE
    page_size_query_param = "page_size"


class InMemory:
    """Dictionaries in memory, as a cursor asks for rows; the column it stands at is a moment."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self._rows = rows

    def order_by(self, *ordering: str) -> "InMemory":
        rows = self._rows
        for name in reversed(ordering):
            rows = sorted(rows, key=itemgetter(name.lstrip("-")), reverse=name.startswith("-"))
        return InMemory(rows)

    def filter(self, **condition: str) -> "InMemory":
        [(asked, text)] = condition.items()
        name, _, sign = asked.partition("__")
        moment, compare = datetime.fromisoformat(text), {"lt": lt, "gt": gt}[sign]
        return InMemory([row for row in self._rows if compare(row[name], moment)])

    def __getitem__(self, part: slice) -> list[dict[str, Any]]:
        return self._rows[part]


class Cursor(pagination.CursorPagination):
    """`{"next", "previous", "results"}`, newest first; costs the same at any depth."""

    page_size = DEFAULT_SIZE
    max_page_size = MAX_SIZE
    page_size_query_param = "page_size"
    ordering = "-pk"

    def decode_cursor(self, request: Any) -> Any:
        if not _is_cursor(request.query_params.get(self.cursor_query_param)):
            _refuse()
        try:
            return super().decode_cursor(request)
        except NotFound:
            _refuse()

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> Any:
        try:
            return super().paginate_queryset(queryset, request, view)
        # A well-formed cursor whose position is not a value of the ordering column.
        except (ValueError, TypeError, InvalidValue):
            _refuse()


def _is_cursor(text: str | None) -> bool:
    """Of other text the framework takes what looks like base64, and starts from the beginning."""
    if text is None:
        return True
    try:
        names = parse_qs(b64decode(text, validate=True).decode("ascii")).keys()
    except ValueError:
        return False
    return bool(names) and names <= {"o", "p", "r"}


def _refuse() -> NoReturn:
    raise ValidationError({"cursor": ["This cursor is not valid."]}, code="invalid_cursor")
