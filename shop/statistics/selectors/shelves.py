"""What a roll-up is: sums by hour and day that can be counted again from the rows at any time.

A shelf is a pair of tables, or three with one of months, which are sums of days; a book is the
shelves that are counted together under one mark.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django.db.models import Max, Min, Model, Sum

from common import moments
from shop.statistics import rules
from shop.statistics.models import SalesMark

Row = tuple[int, ...]
# An hour, and what beside it the sums are of (None: of everything together).
Spot = tuple[datetime, Any]
# Days of which the rows are read at once where all of them are looked at.
STRETCH: Final = 31


@dataclass(frozen=True, slots=True)
class Shelf:
    """Sums by hour and by day, for each value of the column `key` if there is one.

    `truth` gives the sums of the rows themselves in [since, until), by spot. A shelf with `months`
    has a `key`.
    """

    name: str
    hours: type[Model]
    days: type[Model]
    fields: tuple[str, ...]
    truth: Callable[[datetime, datetime], dict[Spot, Row]]
    key: str = ""
    months: type[Model] | None = None


@dataclass(frozen=True, slots=True)
class Book:
    """Shelves under one mark, and where the rows are that they count: (model, time column) pairs.

    `touched` finds hours that changed after an event, and `last_event` the newest event before a
    moment; both are for books whose past changes.
    """

    name: str
    shelves: tuple[Shelf, ...]
    rows: tuple[tuple[type[Model], str], ...]
    touched: Callable[[int, datetime], set[datetime]] = lambda after, before: set()
    last_event: Callable[[datetime, int], int] = lambda moment, after: after

    @property
    def monthly(self) -> list[tuple[Shelf, type[Model]]]:
        """Shelves with their tables of months."""
        return [(shelf, shelf.months) for shelf in self.shelves if shelf.months is not None]


def mark(name: str) -> SalesMark | None:
    return SalesMark.objects.filter(name=name).first()


def kept_by_hour(shelf: Shelf, since: datetime, until: datetime) -> dict[Spot, Row]:
    """What is written down of the hours in [since, until)."""
    rows = shelf.hours._default_manager.filter(hour__gte=since, hour__lt=until)
    return {(spot[0], _key(shelf, spot)): row for spot, row in _cut(shelf, "hour", rows)}


def kept_of_day(shelf: Shelf, day: date) -> dict[Any, Row]:
    rows = shelf.days._default_manager.filter(day=day)
    return {_key(shelf, spot): row for spot, row in _cut(shelf, "day", rows)}


def kept_of_month(shelf: Shelf, table: type[Model], month: date) -> dict[Any, Row]:
    rows = table._default_manager.filter(month=month)
    return {_key(shelf, spot): row for spot, row in _cut(shelf, "month", rows)}


def month_of_days(shelf: Shelf, month: date) -> dict[Any, Row]:
    """What the days of that month come to."""
    days = shelf.days._default_manager.filter(day__gte=month, day__lt=rules.month_after(month))
    sums: Any = days.order_by().values_list(shelf.key)
    rows = sums.annotate(*(Sum(name) for name in shelf.fields))
    return {key: tuple(int(value) for value in row) for key, *row in rows}


def month_due(book: Book) -> date | None:
    """The first month that is over and not kept yet, if there is one."""
    found = mark(book.name)
    if found is None or not book.monthly:
        return None
    month = found.months_until or _first_month(book)
    # As long as purchases of its last moment may come, each count would write the month anew.
    over = rules.month_of((found.counted_until - moments.SLACK).date())
    return month if month is not None and month < over else None


def _first_month(book: Book) -> date | None:
    days = [_edge(shelf.days, Min("day")) for shelf, _ in book.monthly]
    return min((rules.month_of(day) for day in days if day is not None), default=None)


def _cut(shelf: Shelf, time: str, rows: Any) -> Iterator[tuple[tuple[Any, ...], Row]]:
    named = [time, shelf.key] if shelf.key else [time]
    for values in rows.order_by().values_list(*named, *shelf.fields):
        yield tuple(values[: len(named)]), tuple(values[len(named) :])


def _key(shelf: Shelf, spot: tuple[Any, ...]) -> Any:
    return spot[1] if shelf.key else None


def span(book: Book) -> tuple[date, date] | None:
    """The first and the last day of which there are rows, or of which any are written down."""
    kept = ((shelf.hours, "hour") for shelf in book.shelves)
    places = [*book.rows, *kept, *((table, "month") for _, table in book.monthly)]
    edges = (_edge(model, edge(column)) for model, column in places for edge in (Min, Max))
    days = [_day(edge) for edge in edges if edge is not None]
    return (min(days), max(days)) if days else None


def _edge(model: type[Model], edge: Min | Max) -> Any:
    """One in a query: of two, MySQL reads the whole index."""
    return model._default_manager.order_by().aggregate(edge=edge)["edge"]


def _day(moment: date | datetime) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


def by_key(hours: dict[Spot, Row]) -> dict[Any, Row]:
    """The sums of a day out of those of its hours."""
    return {key: row for (_, key), row in by_key_and_day(hours).items()}


def differences(
    shelf: Shelf, since: datetime, until: datetime, *, but: Collection[datetime] = ()
) -> list[str]:
    """A line for each hour in [since, until) whose sums are not those of its rows; `but` these."""
    truth, kept = shelf.truth(since, until), kept_by_hour(shelf, since, until)
    return [
        f"{shelf.name} {spot[0]:%Y-%m-%d %H}h {_named(shelf, spot)}{kept.get(spot)} kept, "
        f"{truth.get(spot)} counted"
        for spot in sorted(truth.keys() | kept.keys(), key=str)
        if truth.get(spot) != kept.get(spot) and spot[0] not in but
    ]


def _named(shelf: Shelf, spot: Spot) -> str:
    return f"{shelf.key.removesuffix('_id')} {spot[1]}: " if shelf.key else ""


def day_differences(shelf: Shelf, day: date) -> list[str]:
    start = rules.start_of(day)
    if by_key(kept_by_hour(shelf, start, start + rules.DAY)) == kept_of_day(shelf, day):
        return []
    return [f"{shelf.name} {day}: the day is not the sum of its hours"]


def month_differences(shelf: Shelf, table: type[Model], month: date) -> list[str]:
    if month_of_days(shelf, month) == kept_of_month(shelf, table, month):
        return []
    return [f"{shelf.name} {month:%Y-%m}: the month is not the sum of its days"]


def months_kept(book: Book) -> list[date]:
    """Those that are read as months, and any of which rows are written down before."""
    found, days = mark(book.name), span(book)
    if found is None or found.months_until is None or days is None:
        return []
    return list(rules.months_between(days[0], found.months_until))


def breaches(book: Book) -> Iterator[str]:
    """The differences of what is settled: counted, and not touched since.

    The rest is a lag, which the next run makes up for.
    """
    found, days = mark(book.name), span(book)
    if found is None or days is None:
        return
    until = rules.hour_of(found.counted_until - moments.SLACK)
    lag = book.touched(found.last_event, until)
    since = rules.start_of(days[0])
    while since < until:
        end = min(until, since + STRETCH * rules.DAY)
        for shelf in book.shelves:
            yield from differences(shelf, since, end, but=lag)
            yield from _uneven_days(shelf, since, end)
        since = end
    for month in months_kept(book):
        for shelf, table in book.monthly:
            yield from month_differences(shelf, table, month)


def _uneven_days(shelf: Shelf, since: datetime, until: datetime) -> Iterator[str]:
    """Of whole days: the last hours of a day that is not over are not read here."""
    until = rules.start_of(until.date())
    hours = by_key_and_day(kept_by_hour(shelf, since, until))
    rows = shelf.days._default_manager.filter(day__gte=since.date(), day__lt=until.date())
    days = {(spot[0], _key(shelf, spot)): row for spot, row in _cut(shelf, "day", rows)}
    both = hours.keys() | days.keys()
    for day in sorted({spot[0] for spot in both if hours.get(spot) != days.get(spot)}):
        yield f"{shelf.name} {day}: the day is not the sum of its hours"


def by_key_and_day(hours: dict[Spot, Row]) -> dict[tuple[date, Any], Row]:
    summed: dict[tuple[date, Any], Row] = {}
    for (hour, key), row in hours.items():
        before = summed.get((hour.date(), key), (0,) * len(row))
        summed[hour.date(), key] = tuple(a + b for a, b in zip(before, row, strict=True))
    return summed
