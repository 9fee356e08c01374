"""What a CSV file of products must look like, before anybody asks what is in it. Pure."""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from common import sheets
from shop.catalogue.rules import same

# What identifies a product; the first of them that the file has.
KEYS: Final = ("sku", "slug")
# An answer with more of them helps nobody.
MOST_ERRORS: Final = 100
MAX_BYTES: Final = 20_000_000
# Of a value that a report shows.
MOST_SHOWN: Final = 200
# Of a file that was tried out.
KEPT_FOR: Final = timedelta(hours=24)
# Of all rows these many times more may be blank, which spreadsheets leave at the end.
_BLANKS: Final = 10
_LONGEST: Final = 200_000
_DELIMITERS: Final = (",", ";", "\t")
_WIDE: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_COUNT: Final = re.compile(r"[+-]?[0-9]{1,12}")

Cells = dict[str, str]


@dataclass(frozen=True, slots=True)
class Wrong:
    """One mistake: `row` as a spreadsheet numbers it, the names being 1; 0 is the whole file."""

    row: int
    column: str
    code: str
    detail: str

    def as_error(self) -> dict[str, Any]:
        where = f"rows[{self.row}].{self.column}" if self.row else self.column
        about = {"row": self.row or None, "column": self.column}
        return {"field": where, "code": self.code, "detail": self.detail, **about}


class Unreadable(ValueError):
    """Nothing can be said of the rows: the file itself is wrong."""

    def __init__(self, code: str, detail: str, *, row: int = 0, column: str = "file") -> None:
        super().__init__(detail)
        self.wrong = Wrong(row, column, code, detail)


@dataclass(frozen=True, slots=True)
class Row:
    """A row's values by field, as the API takes them."""

    number: int
    values: dict[str, Any]


@dataclass(slots=True)
class Sheet:
    """What was read: `key` tells products apart; `wrong` are the rows that cannot be taken."""

    key: str
    rows: list[Row] = field(default_factory=list)
    wrong: list[Wrong] = field(default_factory=list)


def decoded(raw: bytes) -> str:
    """UTF-8, or UTF-16 by its mark. Raises Unreadable, with the line where it can be said."""
    try:
        text = raw.decode("utf-16" if raw.startswith(_WIDE) else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise Unreadable(
            "not_utf8", f"Line {line} is not UTF-8. Save the file as CSV UTF-8.", row=line
        ) from error
    place = text.find("\0")
    if place >= 0:
        line = text[:place].count("\n") + 1
        raise Unreadable("null_characters", f"Line {line} has NUL characters.", row=line)
    return text


def table(text: str, *, most: int) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The names of the columns, and the numbered rows that are not blank. Raises Unreadable."""
    records = _records(text)
    names = next((cells for _, cells in records), [])
    if not any(names):
        raise Unreadable("empty_file", "The file has no columns.")
    rows: list[tuple[int, list[str]]] = []
    for number, cells in records:
        blank = not any(cell.strip() for cell in cells)
        # Counted before anything is looked at: a file of a million rows is refused at once.
        if (len(rows) == most and not blank) or number > _BLANKS * most:
            raise Unreadable("too_many_rows", f"A file may have up to {most:,} rows.")
        if blank:
            continue
        rows.append((number, cells))
    if not rows:
        raise Unreadable("no_rows", "The file has no rows below the names of the columns.")
    return [name.strip().lower() for name in names], rows


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    head = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=head.count)
    # `splitlines` would end a row at a form feed or a paragraph sign as well.
    lines = io.StringIO(text, newline="")
    reader = csv.reader(_short(lines), delimiter=delimiter, strict=True)
    number = 0
    try:
        for number, cells in enumerate(reader, start=1):
            yield number, cells
    except csv.Error as error:
        raise Unreadable(
            "malformed", f"Row {number + 1} is not CSV: {error}.", row=number + 1
        ) from error


def _short(lines: Iterable[str]) -> Iterator[str]:
    """Millions of commas would become millions of cells before anybody counts them."""
    for line in lines:
        if len(line) > _LONGEST:
            raise csv.Error(f"a line of more than {_LONGEST:,} characters")
        yield line


def key_of(names: Sequence[str], known: Sequence[str]) -> str:
    """The column that tells products apart. Raises Unreadable."""
    for name in names:
        if name not in known:
            raise Unreadable(
                "unknown_column",
                f"There is no column {name[:40]!r}; there are {', '.join(known)}.",
                row=1,
                column=name[:40] or "file",
            )
        if names.count(name) > 1:
            raise Unreadable(
                "duplicate_column", f"The column {name!r} is there twice.", row=1, column=name
            )
    found = [key for key in KEYS if key in names]
    if not found:
        raise Unreadable(
            "missing_column", "A column sku or slug must say which product a row is.", row=1
        )
    return found[0]


def repeated(rows: Sequence[Row], column: str) -> list[Wrong]:
    """Rows whose value of this column an earlier row has."""
    first: dict[str, int] = {}
    found = []
    for row in rows:
        value = row.values.get(column)
        if value is not None and first.setdefault(same(value), row.number) != row.number:
            words = f"Row {first[same(value)]} has the same {column}."
            found.append(Wrong(row.number, column, "duplicate", words))
    return found


def words(cell: str) -> str:
    return sheets.plain(cell)


def number(cell: str) -> int | str:
    """A whole number; anything else as it is, for the field to refuse."""
    return int(cell) if _COUNT.fullmatch(cell) else cell


def flag(cell: str) -> bool | str:
    return {"true": True, "false": False}.get(cell.lower(), cell)
