"""The picture: Graphviz draws one box for each table, framed by app."""

import subprocess  # nosec B404  # a fixed command, for people who write docs
import sys
from collections import Counter
from collections.abc import Iterator
from html import escape
from itertools import cycle, groupby, pairwise, product

from django.conf import settings

from config.schema_docs.tables import Column, Table

COLOURS = ("#dbeafe", "#dcfce7", "#fef3c7", "#f3e8ff", "#ffe4e6", "#e0f2fe")
MOST_ARROWS = 6
STYLE = """\
    graph [rankdir=LR, bgcolor=white, fontname="Helvetica", fontsize=20, nodesep=0.25, ranksep=1.2]
    node [shape=plain, fontname="Helvetica", fontsize=10]
    edge [color="#64748b", arrowsize=0.6, arrowhead=normal]
"""


def svg(tables: list[Table]) -> str:
    """CalledProcessError where Graphviz is not to be had."""
    argv = [sys.executable, str(settings.BASE_DIR / ".ci" / "nodetools.py"), "draw"]
    done = subprocess.run(  # noqa: S603  # nosec B603  # no word of it comes from outside
        argv, input=dot(tables), stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


def dot(tables: list[Table]) -> str:
    lines = ["digraph schema {", STYLE]
    drawn = _drawn(tables)
    apps = groupby(tables, key=lambda table: table.app)
    for (app, of_app), colour in zip(apps, cycle(COLOURS), strict=False):
        lines += _frame(app, list(of_app), colour, drawn)
    for table in tables:
        lines += _edges(table, drawn)
    for left, right in pairwise(_islands(tables, drawn)):
        lines += _side_by_side(left, right, drawn)
    return "\n".join([*lines, "}"])


def _targets(table: Table, drawn: set[str]) -> set[str]:
    """The tables that its arrows lead to."""
    reached = {column.refers_to for column in table.columns} & drawn
    return {target.partition(".")[0] for target in reached} - {table.name}


def _islands(tables: list[Table], drawn: set[str]) -> list[list[Table]]:
    """The tables of neighbouring apps that arrows join, together."""
    islands: list[list[Table]] = []
    for _, of_app in groupby(tables, key=lambda table: table.app):
        here = list(of_app)
        names = {table.name for table in here}
        if islands and any(_targets(table, drawn) & names for table in islands[-1]):
            islands[-1] += here
        else:
            islands.append(here)
    return islands


def _side_by_side(left: list[Table], right: list[Table], drawn: set[str]) -> Iterator[str]:
    """Without these lines Graphviz stacks what no arrow joins into one tall column."""
    reached = {name for table in right for name in _targets(table, drawn)}
    ends = [table.name for table in left if not _targets(table, drawn)]
    starts = [table.name for table in right if table.name not in reached]
    yield from (f'  "{a}" -> "{b}" [style=invis]' for a, b in product(ends, starts))


def _drawn(tables: list[Table]) -> set[str]:
    """The columns that arrows lead to; where there are too many, each row names its target."""
    targets = Counter(column.refers_to for table in tables for column in table.columns)
    there = {f"{table.name}.{column.name}" for table in tables for column in table.columns}
    return {target for target, count in targets.items() if count <= MOST_ARROWS} & there


def _frame(app: str, tables: list[Table], colour: str, drawn: set[str]) -> Iterator[str]:
    yield f'  subgraph "cluster_{app}" {{'
    yield f'    label="{app}"; labeljust=l; style="rounded"; color="#94a3b8"; margin=16'
    for table in tables:
        yield f'    "{table.name}" [label=<{_box(table, colour, drawn)}>]'
    yield "  }"


def _box(table: Table, colour: str, drawn: set[str]) -> str:
    rows = "".join(_row(column, drawn) for column in table.columns)
    head = f'<tr><td colspan="2" bgcolor="{colour}"><b>{escape(table.name)}</b></td></tr>'
    table_tag = '<table border="0" cellborder="1" cellspacing="0" cellpadding="3" color="#94a3b8">'
    return f"{table_tag}{head}{rows}</table>"


def _row(column: Column, drawn: set[str]) -> str:
    name = f"<b>{column.name}</b>" if column.primary else column.name
    # Graphviz reads no empty <font>.
    marks = f'<font color="#64748b"> {" ".join(column.keys)}</font>' if column.keys else ""
    kind = column.type.removesuffix(" auto_increment") + ("?" if column.null else "")
    if column.refers_to and column.refers_to not in drawn:
        kind += f" → {column.refers_to}"
    return (
        f'<tr><td align="left" port="to_{column.name}">{name}{marks}</td>'
        f'<td align="left" port="from_{column.name}">'
        f'<font color="#475569">{escape(kind)}</font></td></tr>'
    )


def _edges(table: Table, drawn: set[str]) -> Iterator[str]:
    for column in table.columns:
        if column.refers_to in drawn:
            target, _, key = column.refers_to.partition(".")
            yield f'  "{table.name}":"from_{column.name}":e -> "{target}":"to_{key}":w'
