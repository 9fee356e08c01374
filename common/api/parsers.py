"""A JSON parser that refuses what only looks like JSON."""

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import IO, Any, NoReturn

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from common.errors import TooLarge

MAX_BODY = 256 * 1024
# No body of the API is deeper than five levels.
MAX_DEPTH = 32


def _refuse(constant: str) -> NoReturn:
    raise ParseError(f"{constant} is not a JSON number.", code="malformed")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ParseError("A name occurs twice in one object.", code="malformed")
    return found


def _refuse_depth(found: Any) -> None:
    """How deep the interpreter itself goes differs tenfold between versions of Python."""
    level = [found]
    for _ in range(MAX_DEPTH):
        level = [part for value in level for part in _parts(value)]
        if not level:
            return
    raise ParseError("The body is nested too deeply.", code="malformed")


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


class StrictJSONParser(BaseParser):
    """UTF-8 JSON up to 256 KiB; numbers with a point become Decimal, never a binary float."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        raw = stream.read(MAX_BODY + 1)
        if len(raw) > MAX_BODY:
            raise TooLarge
        try:
            found = json.loads(
                raw.decode("utf-8"),
                parse_float=Decimal,
                parse_constant=_refuse,
                object_pairs_hook=_no_duplicates,
            )
            _refuse_depth(found)
            # Half a surrogate pair, `"\ud800"`, is no text: neither column nor answer can hold it.
            json.dumps(found, ensure_ascii=False, default=str).encode()
            return found
        # 100,000 levels end in RecursionError; a 10,000-digit integer in ValueError.
        except (ValueError, ArithmeticError, RecursionError) as error:
            raise ParseError("The body is not valid JSON.", code="malformed") from error
