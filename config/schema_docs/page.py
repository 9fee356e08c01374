"""The page: for each app a Mermaid diagram, for each table its columns and rules."""

import re
from collections.abc import Iterator
from itertools import groupby

from config.schema_docs.tables import Column, Table

HEAD = """\
# The database schema

Made from the models by `manage.py schema_docs`; `make check` fails when it is stale. Types and
conditions are MySQL's. PK is the primary key, UK a unique column, FK a foreign key, which has an
index. Columns may be null only where it is said. Amounts are integers: `bigint` in minor units
(cents), `decimal(65,0)` in minor or base units. How money moves through these tables is in
[money](money.md), who locks what in [locking](locking.md).

![All tables with their columns and foreign keys, by app](images/schema.svg)
"""


def markdown(tables: list[Table], foreign: list[str]) -> str:
    """The whole page; `foreign` are the tables that Django's own apps bring."""
    parts = [HEAD, _contents(tables)]
    here = {table.name for table in tables}
    for app, of_app in groupby(tables, key=lambda table: table.app):
        parts += _app(app, list(of_app), here)
    names = ", ".join(f"`{name}`" for name in foreign)
    parts.append(f"## Django's own\n\n{names}; and `django_migrations`.\n")
    return "\n".join(parts)


def _contents(tables: list[Table]) -> str:
    lines = ["| app | tables |", "| --- | --- |"]
    for app, of_app in groupby(tables, key=lambda table: table.app):
        links = ", ".join(f"[{table.name}](#{table.name})" for table in of_app)
        lines.append(f"| [{app}](#{app}) | {links} |")
    return "\n".join(lines) + "\n"


def _app(app: str, tables: list[Table], here: set[str]) -> Iterator[str]:
    yield f"## {app}\n"
    yield _mermaid(tables)
    for table in tables:
        yield _section(table, here)


def _mermaid(tables: list[Table]) -> str:
    lines = ["```mermaid", "erDiagram"]
    for table in tables:
        lines += [f"    {table.name} {{", *map(_attribute, table.columns), "    }"]
    for table in tables:
        lines += [_relation(table, column) for column in table.columns if column.refers_to]
    return "\n".join([*lines, "```\n"])


def _attribute(column: Column) -> str:
    # Mermaid takes neither spaces nor commas in a type.
    short = column.type.removesuffix(" auto_increment").replace(",0)", ")")
    kind = re.sub(r"[ ,]", "_", short)
    return f"        {kind} {column.name} {', '.join(column.keys)}".rstrip()


def _relation(table: Table, column: Column) -> str:
    """The target is one, or none where the key may be null; the rows many, or one if unique."""
    one = "|o" if column.null else "||"
    many = "o|" if column.unique else "o{"
    return f"    {column.refers_to.partition('.')[0]} {one}--{many} {table.name} : {column.name}"


def _section(table: Table, here: set[str]) -> str:
    home = f"{table.app}/{table.feature}"
    lines = [f"### {table.name}", "", f"{table.text} (`{home}`)".lstrip(), ""]
    lines += ["| column | type | null | key | default | values, target |", "| --- " * 6 + "|"]
    lines += [_row(column, here) for column in table.columns]
    if table.rules:
        lines += ["", *(_rule(*rule) for rule in table.rules)]
    return "\n".join(lines) + "\n"


def _row(column: Column, here: set[str]) -> str:
    about = [f"`{value}`" for value in column.values]
    if column.refers_to:
        name = column.refers_to.partition(".")[0]
        about.append(f"→ [{column.refers_to}](#{name if name in here else 'djangos-own'})")
    cells = [
        f"`{column.name}`",
        column.type,
        "null" if column.null else "",
        ", ".join(column.keys),
        f"`{column.default}`" if column.default else "",
        ", ".join(about),
    ]
    return "| " + " | ".join(cells) + " |"


def _rule(kind: str, name: str, what: str) -> str:
    named = f" `{name}`" if name else ""
    return f"- {kind}{named}: `{what}`"
