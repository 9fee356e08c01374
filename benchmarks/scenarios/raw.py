"""The machine's bound: MySQL and Redis doing the writes of a purchase, with no shop around them.

MySQL: SAMPLES real purchases are made one after the other, and what they left is found by looking
at every table before and after. Then CALLERS connections (where GROUP purchases share a commit: so
many fewer, which is as fast and as many purchases at a time) write rows of the same shape into
copies of those tables (`raw_…`, with all of their indexes and CHECKs): a multi-row INSERT for each
table, then an UPDATE by primary key for each table of which rows were changed, one commit. Columns
of an index that differ from purchase to purchase get new values; rows that every purchase changes
(the stock of one product) are as few in the copy. Left out is what the shop does beside its writes:
all reads and locks, foreign keys and triggers, keys that are read back. A row is written once, as
the purchase left it. An UPDATE changes numbers, and leaves a state as it is.

Redis: the gate's script hands out one unit to one buyer, and the unit is taken from its journal.
Left out are the other calls of a purchase: session, rate limits, rules against fraud, live figures.
"""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, Final

from MySQLdb.cursors import DictCursor

from benchmarks.buyers import answer
from benchmarks.load import CALLERS, CLIENTS, Call, Ratio, Way
from benchmarks.raw import connect
from benchmarks.shape import HOST, Shape, say

MYSQL = "raw MySQL, the same rows"
GROUPS = "raw MySQL, the same rows, 16 a commit"
REDIS = "raw Redis, the same script"
ABOUT: Final = "The app of a raw way is its writer."
GROUP: Final = 16
WARM, SAMPLES = 8, 64
# Rows of a table of which each purchase changes another one.
OWN: Final = 8_192
# More than are handed out in a round.
UNITS: Final = 100_000
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Statement:
    """SQL for any number of purchases; `each` has places for the facts of one (`raw.facts`)."""

    head: str
    each: str
    tail: str = ""

    def of(self, purchases: int) -> str:
        numbered = (
            self.each.replace("%(n)", f"%(n{place})").replace("%(h)", f"%(h{place})")
            for place in range(purchases)
        )
        return self.head + ", ".join(numbered) + self.tail


def mysql(shape: Shape, way: Way) -> list[Way]:
    """What `way` writes, one purchase and GROUP of them in a commit."""

    @cache
    def written() -> list[Statement]:
        return recorded(shape, way)

    def raw(name: str, purchases: int) -> Way:
        return Way(
            name=name,
            before=written,
            calls=lambda made: [[str(purchases), *(each.of(purchases) for each in made)]] * CLIENTS,
            program=("raw.py", "mysql"),
            callers=CALLERS // purchases,
        )

    return [raw(MYSQL, 1), raw(GROUPS, GROUP)]


def redis(shape: Shape) -> Way:
    """The gate of a run that does not exist, filled anew for each round."""
    from redis import Redis

    from shop.flash_sales import store

    client, keys = Redis.from_url(shape.redis.url), store._keys(0)

    def fill() -> None:
        client.delete(*keys)
        client.hset(keys[0], mapping={"gen": "raw", "seq": 0})
        client.zadd(keys[1], {str(unit): unit for unit in range(UNITS)})

    return Way(
        name=REDIS,
        before=fill,
        calls=lambda _: [[store._CLAIM, *keys]] * CLIENTS,
        program=("raw.py", "redis"),
    )


def ratios(name: str, way: str) -> list[Ratio]:
    return [Ratio(name=f"{name} to {below}", above=way, below=below) for below in (MYSQL, GROUPS)]


def recorded(shape: Shape, way: Way) -> list[Statement]:
    """What a purchase of this way writes, into tables that are made here."""
    calls, link = way.calls(way.before()), connect(autocommit=True)
    _ask(shape.port, calls[:WARM])
    before = _tables(link)
    _ask(shape.port, calls[WARM : WARM + SAMPLES])
    after = _tables(link)
    new = {table: _new(before[table], rows) for table, rows in after.items()}
    changed = {table: _changed(before[table], rows) for table, rows in after.items()}
    # A row that everybody changes is locked last, until the commit.
    hot_last = sorted(filter(changed.get, changed), key=lambda table: -len(changed[table]))
    say(f"{SAMPLES} purchases wrote {_counts(new)}, and changed {_counts(changed)}")
    return [
        *(_insert(link, table, rows) for table, rows in new.items() if len(rows) >= SAMPLES),
        *(_update(link, table, changed[table]) for table in hot_last),
    ]


def _ask(port: int, calls: Sequence[Call]) -> None:
    with socket.create_connection((HOST, port)) as link:
        for text in (text for call in calls for text in call):
            link.sendall(text.encode())
            if not (found := answer(link)).startswith(b"HTTP/1.1 201"):
                raise RuntimeError(found.decode())


def _query(link: Any, sql: str) -> tuple[Row, ...]:
    cursor = link.cursor(DictCursor)
    cursor.execute(sql)
    found: tuple[Row, ...] = cursor.fetchall()
    return found


def _tables(link: Any) -> dict[str, dict[Any, Row]]:
    """All rows of all tables of the shop, by primary key: their first column."""
    names = [next(iter(row.values())) for row in _query(link, "SHOW TABLES")]
    return {
        name: {next(iter(row.values())): row for row in _query(link, f"SELECT * FROM {name}")}
        for name in names
        if not name.startswith("raw_")
    }


def _new(before: Mapping[Any, Row], after: Mapping[Any, Row]) -> list[Row]:
    return [after[key] for key in sorted(after.keys() - before.keys())]


def _changed(before: Mapping[Any, Row], after: Mapping[Any, Row]) -> list[tuple[Row, Row]]:
    """Rows as they were and as they are."""
    both = [(before[key], row) for key, row in after.items() if key in before]
    return [(old, now) for old, now in both if old != now]


def _counts(rows: Mapping[str, Sequence[Any]]) -> str:
    return ", ".join(f"{table} {len(each)}" for table, each in rows.items() if each)


class _Copy:
    """`raw_…`, an empty table like another; `row` is the SQL of a row's values."""

    def __init__(self, link: Any, table: str) -> None:
        self.name, self._link = f"raw_{table}", link
        _query(link, f"DROP TABLE IF EXISTS {self.name}")
        _query(link, f"CREATE TABLE {self.name} LIKE {table}")
        self._indexed = {row["Column_name"] for row in _query(link, f"SHOW INDEX FROM {table}")}
        columns = _query(link, f"SHOW COLUMNS FROM {table}")
        generated = ("STORED GENERATED", "VIRTUAL GENERATED")
        self.generated = {row["Field"]: "DEFAULT" for row in columns if row["Extra"] in generated}
        counted = {row["Field"]: "DEFAULT" for row in columns if row["Extra"] == "auto_increment"}
        self.made = self.generated | counted

    def varying(self, rows: Sequence[Row]) -> set[str]:
        """Columns of an index in which no two rows are alike."""
        return {n for n in self._indexed if len({row[n] for row in rows}) == len(rows)}

    def row(self, row: Row, instead: Mapping[str, str]) -> str:
        values = (instead.get(name) or self._literal(value) for name, value in row.items())
        return f"({', '.join(values)})"

    def other(self, value: Any, number: str, end: str) -> str:
        """A number instead of a number, another end of a text; times stay."""
        if isinstance(value, int):
            return number
        if isinstance(value, str):
            return f"{self._literal(value[:-12])[:-1]}{end}'"
        return self._literal(value)

    def _literal(self, value: Any) -> str:
        return str(self._link.literal(value).decode().replace("%", "%%"))


def _insert(link: Any, table: str, new: Sequence[Row]) -> Statement:
    """The rows of the last purchase, with values of their own where purchases differ."""
    copy, many = _Copy(link, table), len(new) // SAMPLES
    last = new[-many:]

    def row(place: int) -> str:
        instead = dict(copy.made)
        for name in copy.varying(new[place::many]) - copy.made.keys():
            # What is the same in two rows of a purchase, its order's key, stays the same.
            first = [each[name] for each in last].index(last[place][name])
            instead[name] = copy.other(last[place][name], f"%(n)d{first:02}", "%(h)s")
        return copy.row(last[place], instead)

    return Statement(f"INSERT INTO {copy.name} VALUES ", ", ".join(map(row, range(many))))


def _update(link: Any, table: str, changed: Sequence[tuple[Row, Row]]) -> Statement:
    """Each purchase takes the next row of a copy: of the few that all change, or of OWN like them.

    Numbers rise by the number of rows, so that unique ones stay unique.
    """
    copy, rows = _Copy(link, table), [now for _, now in changed]
    key, own = next(iter(rows[0])), len(rows) == SAMPLES
    count, varying = (OWN, copy.varying(rows) | {key}) if own else (len(rows), {key})

    def row(number: int) -> str:
        like = rows[number % len(rows)]
        others = {n: copy.other(like[n], str(number), f"{number:012}") for n in varying}
        return copy.row(like, others | copy.generated) % ()

    filled = ", ".join(row(number) for number in range(1, count + 1))
    _query(link, f"INSERT INTO {copy.name} VALUES {filled}")
    altered = {name for old, now in changed for name in now if old[name] != now[name]}
    numbers = sorted(
        name for name in altered - copy.generated.keys() if isinstance(rows[0][name], int | Decimal)
    )
    sets = ", ".join(f"`{name}` = `{name}` + {count}" for name in numbers)
    head = f"UPDATE {copy.name} SET {sets} WHERE `{key}` IN ("
    return Statement(head, f"1 + MOD(%(n)d, {count})", ")")
