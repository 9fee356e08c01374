"""What a product costs, to whom and when. Pure; amounts in minor units, times aware."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from common.money import less_percent

LOOK_BACK: Final = timedelta(days=30)
# `products/import/` of the API is an address of its own.
RESERVED_SLUGS: Final = frozenset({"import"})
# What a new product cannot be without, and what staff call it.
NEEDED: Final = {
    "name": "name",
    "sku": "sku",
    "description": "description",
    "list_price": "price",
}


@dataclass(frozen=True, slots=True)
class Terms:
    """A list price and a discount of `percent` in the half-open window [starts_at, ends_at).

    A missing border is open; `percent` 0 is no discount.
    """

    list_price: int
    percent: int = 0
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    members_only: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """The terms that hold from `changed_at` until the next change."""

    changed_at: datetime
    terms: Terms


def may_be_slug(slug: str) -> bool:
    return bool(slug) and slug not in RESERVED_SLUGS


def same(value: str) -> str:
    """What two slugs or SKUs have in common that are one: MySQL takes no notice of case."""
    return value.lower()


def is_ordered(starts_at: datetime | None, ends_at: datetime | None) -> bool:
    """True where the window is open at a side or ends after it starts."""
    return starts_at is None or ends_at is None or starts_at < ends_at


def in_force(terms: Terms, at: datetime) -> bool:
    """Whether the discount applies, to anybody, at that moment."""
    started = terms.starts_at is None or terms.starts_at <= at
    ended = terms.ends_at is not None and terms.ends_at <= at
    return terms.percent > 0 and started and not ended


def price(terms: Terms, *, member: bool, at: datetime) -> int:
    """What a caller pays at that moment."""
    entitled = member or not terms.members_only
    return _reduced(terms) if entitled and in_force(terms, at) else terms.list_price


def member_price(terms: Terms, at: datetime) -> int | None:
    """What members pay where a discount for members only is in force, else None."""
    return _reduced(terms) if terms.members_only and in_force(terms, at) else None


def percent_in_force(terms: Terms, at: datetime) -> int:
    """The discount of the moment, whoever it is for; 0 where there is none."""
    return terms.percent if in_force(terms, at) else 0


def lowest_public_price(history: Sequence[Change], *, until: datetime) -> int:
    """The lowest price anybody could have paid in the 30 days up to and including `until`.

    After Directive (EU) 2019/2161, art. 2 (1) (the "Omnibus" directive). `history` is in order of
    time, reaches back to the terms in force 30 days ago (or to the first) and is not empty; a
    discount that begins or ends between two changes counts although nothing was written.
    """
    since = until - LOOK_BACK
    ends: list[datetime | None] = [change.changed_at for change in history[1:]]
    spans = zip(history, [*ends, None], strict=True)
    return min(
        _lowest_within(change.terms, max(since, change.changed_at), end, until)
        for change, end in spans
        # Over before the 30 days began, or replaced in its own microsecond: nobody paid it.
        if end is None or max(since, change.changed_at) < end
    )


def _lowest_within(terms: Terms, start: datetime, end: datetime | None, until: datetime) -> int:
    """The lowest public price of a span [start, end); the last, with no end, holds `until`."""
    first = max(start, terms.starts_at or start)
    begins_in_time = first <= until if end is None else first < end
    discounted = begins_in_time and not terms.members_only and in_force(terms, first)
    return _reduced(terms) if discounted else terms.list_price


def _reduced(terms: Terms) -> int:
    return less_percent(terms.list_price, terms.percent)
