"""CSV for spreadsheets: RFC 4180, CRLF, UTF-8, and no cell that they would run.

Excel and its like run a cell that begins with = + - or @, and skip blanks before it. Such text gets
an apostrophe in front, which they show as the mark of text; `plain` takes it off again. Numbers are
written by those who know that they are numbers: -5.00 stays one.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Final

# By this Excel knows that the file is UTF-8.
MARK: Final = "\ufeff"
# The wide signs are what some of them fold to the plain ones. Apostrophes in front count as part of
# it, so that what was text with an apostrophe comes back with it.
_RUNS: Final = re.compile(r"'*(?:[\t\r\n]|\s*[=+\-@＝＋－＠])")


def text(value: str) -> str:
    """Words of people as a cell that nobody runs."""
    return f"'{value}" if _RUNS.match(value) else value


def plain(cell: str) -> str:
    """What `text` was given; any other cell as it is."""
    return cell[1:] if cell.startswith("'") and _RUNS.match(cell) else cell


def lines(rows: Iterable[Sequence[str]]) -> str:
    """Rows of cells, quoted where they must be, each ended by CRLF."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue()
