"""Count what happened: what may have changed since the last time, or everything anew.

An hour is counted as a whole from its rows and written over what was there, so that a run that is
late, doubled or repeated ends in the same sums. Nothing is written while somebody buys: counters in
the purchase's own transaction would make every buyer of a product wait for the last.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from django.db.models import Model

from common import clock, moments, rows
from common.db import transactional
from shop.flash_sales.selectors import units_counted
from shop.statistics import locks, rules, selectors
from shop.statistics.models import RunSales, SalesMark
from shop.statistics.selectors import SALES, Book, Row, Shelf, Spot
from shop.statistics.selectors.shelves import by_key, day_differences, differences

# Rows in one statement: of a busy day there are thousands.
BATCH: Final = 1_000


def sales_count() -> int:
    """Count orders, products and flash runs; returns how many hours were looked at."""
    return book_count(SALES)


def sales_recount() -> int:
    """All of that anew; returns how many days."""
    return book_recount(SALES)


def sales_differences() -> list[str]:
    """A line for each hour, day, month or run whose figures are not those of its rows."""
    return book_differences(SALES)


def book_count(book: Book) -> int:
    """Count the hours in which something may have changed; returns how many those were."""
    if selectors.mark(book.name) is None:
        book_recount(book)
    hours = _count_since(book, None)
    _keep_months(book)
    return hours


def book_recount(book: Book) -> int:
    """Everything anew, a day in a transaction; returns how many days."""
    started = clock.now()
    event = book.last_event(started - moments.SLACK, 0)
    span = selectors.span(book)
    days = list(rules.days_between(*span)) if span else []
    for day in days:
        _recount_day(book, day)
    _count_since(book, (started, event))
    _keep_months(book)
    return len(days)


@transactional
def _count_since(book: Book, beginning: tuple[datetime, int] | None) -> int:
    """From where the mark is, or else from a moment and an event of the caller's."""
    now, mark = clock.now(), locks.mark(book.name)
    since, event = beginning or (mark.counted_until, mark.last_event)
    since -= moments.SLACK
    hours = {*rules.hours_between(since, now)} | book.touched(event, rules.hour_of(since))
    days = sorted({hour.date() for hour in hours})
    for day in days:
        _count_hours(book, day, sorted(hour for hour in hours if hour.date() == day))
    _mend_months(book, mark, days)
    if book is SALES:
        _count_runs(since, 0 if beginning else event)
    _advance(book, mark, now, event)
    return len(hours)


def _advance(book: Book, mark: SalesMark, now: datetime, event: int) -> None:
    mark.counted_until = now
    # An event before this moment is committed by now: no transaction takes longer.
    mark.last_event = book.last_event(now - moments.SLACK, event)
    mark.save(update_fields=["counted_until", "last_event"])


def _count_hours(book: Book, day: date, hours: Sequence[datetime]) -> None:
    for shelf in book.shelves:
        truth: dict[Spot, Row] = {}
        for since, until in rules.stretches(hours):
            truth |= shelf.truth(since, until)
        _write(shelf, day, hours, truth)


@transactional
def _recount_day(book: Book, day: date) -> None:
    mark = locks.mark(book.name)
    hours = rules.hours_of(day)
    for shelf in book.shelves:
        _write(shelf, day, hours, shelf.truth(hours[0], hours[-1] + rules.HOUR))
    _mend_months(book, mark, [day])


def _write(shelf: Shelf, day: date, hours: Sequence[datetime], figures: dict[Spot, Row]) -> None:
    """Put an end to what was counted of these hours of a day, and of the day."""
    start = rules.start_of(day)
    shelf.hours._default_manager.filter(hour__in=hours).delete()
    _insert(shelf, "hour", shelf.hours, figures)
    shelf.days._default_manager.filter(day=day).delete()
    whole = len(hours) == len(rules.hours_of(day))
    kept = figures if whole else selectors.kept_by_hour(shelf, start, start + rules.DAY)
    _insert(shelf, "day", shelf.days, {(day, key): row for key, row in by_key(kept).items()})


def _mend_months(book: Book, mark: SalesMark, days: Collection[date]) -> None:
    """In the transaction that wrote these days: a month that is kept is never behind its days."""
    kept = mark.months_until or date.min
    for month in sorted({rules.month_of(day) for day in days if day < kept}):
        _write_month(book, month)


def _keep_months(book: Book) -> None:
    """Those that are over, each in a transaction of its own: at first it is all of the past."""
    while selectors.month_due(book) is not None:
        _keep_month(book)


@transactional
def _keep_month(book: Book) -> None:
    mark = locks.mark(book.name)
    # Asked again under the lock: by now another may have kept it, or counted a day before it.
    month = selectors.month_due(book)
    if month is not None:
        _write_month(book, month)
        mark.months_until = rules.month_after(month)
        mark.save(update_fields=["months_until"])


def _write_month(book: Book, month: date) -> None:
    """What differs alone: a late event is looked at by each count until it is SLACK old."""
    for shelf, table in book.monthly:
        kept = selectors.kept_of_month(shelf, table, month)
        sums = selectors.month_of_days(shelf, month)
        old = [key for key, row in kept.items() if sums.get(key) != row]
        table._default_manager.filter(month=month, **{f"{shelf.key}__in": old}).delete()
        new = {(month, key): row for key, row in sums.items() if kept.get(key) != row}
        _insert(shelf, "month", table, new)


def _insert(
    shelf: Shelf, time: str, model: type[Model], figures: Mapping[tuple[Any, Any], Row]
) -> None:
    named = (time, shelf.key) if shelf.key else (time,)
    made = [(*spot[: len(named)], *row) for spot, row in sorted(figures.items(), key=_spot)]
    for first in range(0, len(made), BATCH):
        rows.insert(model, (*named, *shelf.fields), made[first : first + BATCH])


def _spot(pair: tuple[tuple[Any, Any], Row]) -> tuple[Any, bool, Any]:
    """In the order of the unique index, which has None first: two who write lock alike."""
    time, key = pair[0]
    return time, key is not None, key


def _count_runs(since: datetime, event: int) -> None:
    keys = selectors.runs_to_count(since=since, after=event)
    _write_runs(keys)


def _write_runs(keys: Collection[int]) -> None:
    RunSales.objects.filter(pk__in=keys).delete()
    RunSales.objects.bulk_create(
        RunSales(
            run_id=pk,
            free=counts.free,
            held=counts.held,
            sold=counts.sold,
            returned=counts.returned,
        )
        for pk, counts in sorted(units_counted(keys).items())
    )


def book_differences(book: Book) -> list[str]:
    """A line for each hour, day or month whose figures are not the sums of its rows."""
    book_count(book)
    span = selectors.span(book)
    found: list[str] = []
    for day in rules.days_between(*span) if span else ():
        found += _settled(book, _differences, day)
    for month in selectors.months_kept(book):
        found += _settled(book, _month_differences, month)
    if book is SALES:
        found += selectors.run_differences()
    return found


def _settled(book: Book, look: Callable[[Book, date], list[str]], day: date) -> list[str]:
    """What a purchase or refund changes meanwhile is counted and looked at once more."""
    if not look(book, day):
        return []
    book_count(book)
    return look(book, day)


def _month_differences(book: Book, month: date) -> list[str]:
    lines: list[str] = []
    for shelf, table in book.monthly:
        lines += selectors.month_differences(shelf, table, month)
    return lines


def _differences(book: Book, day: date) -> list[str]:
    start = rules.start_of(day)
    lines: list[str] = []
    for shelf in book.shelves:
        lines += differences(shelf, start, start + rules.DAY)
        lines += day_differences(shelf, day)
    return lines
