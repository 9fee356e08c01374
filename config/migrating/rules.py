"""How a statement of a migration has to be carried out on a table that may be large. Pure.

MySQL refuses a statement that names an algorithm which it cannot use for it. INSTANT changes the
table's description alone. Adding an index reads the whole table and writes only the index, while
rows are changed (INPLACE, LOCK=NONE). Everything else rewrites the table, or keeps writers out.
"""

import re
from typing import Final

_TABLE: Final = re.compile(
    r"^\s*(?:ALTER\s+TABLE|CREATE\s+(?:UNIQUE\s+)?INDEX\s+\S+\s+ON|DROP\s+INDEX\s+\S+\s+ON)\s+`?(\w+)`?",
    re.IGNORECASE,
)
_INDEX: Final = re.compile(
    r"^\s*(?:CREATE\s+(?:UNIQUE\s+)?INDEX|DROP\s+INDEX)\b"
    r"|\b(?:ADD|DROP|RENAME)\s+(?:UNIQUE\s+)?(?:INDEX|KEY)\b"
    r"|\bADD\s+CONSTRAINT\s+\S+\s+UNIQUE\b",
    re.IGNORECASE,
)
_ALTER: Final = re.compile(r"^\s*ALTER\s+TABLE\b", re.IGNORECASE)
_MADE: Final = re.compile(r"^\s*CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?`?(\w+)`?", re.IGNORECASE)
_ROWS: Final = re.compile(r"^\s*(?:UPDATE|DELETE\s+FROM)\s+`?(\w+)`?", re.IGNORECASE)


def table_made(statement: str) -> str | None:
    """The table that a statement makes."""
    found = _MADE.match(statement)
    return found[1] if found else None


def table_changed(statement: str) -> str | None:
    """The table whose definition a statement changes."""
    found = _TABLE.match(statement)
    return found[1] if found else None


def table_rewritten(statement: str) -> str | None:
    """The table whose rows a statement changes all at once: their locks are held to its end."""
    found = _ROWS.match(statement)
    return found[1] if found else None


def without_lock(statement: str) -> str:
    """The same, to be refused by MySQL where it would rewrite the table or keep writers out."""
    how = "ALGORITHM=INPLACE, LOCK=NONE" if _INDEX.search(statement) else "ALGORITHM=INSTANT"
    text = statement.rstrip().rstrip(";")
    if _ALTER.match(text):
        return f"{text}, {how}"
    return f"{text} {how.replace(',', '')}"
