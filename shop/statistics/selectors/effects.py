"""What a change of price did: units a day before it and after it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shop.catalogue.selectors import PriceStep
from shop.statistics import rules
from shop.statistics.rules import Stretch
from shop.statistics.selectors.figures import units_before, units_of_hours


@dataclass(frozen=True, slots=True)
class Effect:
    """A change with the stretches before and after it."""

    step: PriceStep
    before: Stretch
    after: Stretch


def effects(steps: Sequence[PriceStep], *, now: datetime) -> list[Effect]:
    """Two queries, whatever their number; bounded by the changes beside each one, and by now."""
    windows = [
        rules.beside(step.before.changed_at, step.change.changed_at, step.until, now)
        for step in steps
    ]
    spans = [
        (step.change.product_id, since, until)
        for step, window in zip(steps, windows, strict=True)
        for since, until in window
    ]
    units = iter(_units(spans, now))
    return [
        Effect(step, *(Stretch(next(units), until - since) for since, until in window))
        for step, window in zip(steps, windows, strict=True)
    ]


def _units(spans: Sequence[tuple[int, datetime, datetime]], now: datetime) -> list[int]:
    """Whole hours from the statistics, and of the hours at the ends what was sold before them."""
    hours = [(product, rules.hour_of(since), _whole(until, now)) for product, since, until in spans]
    ends = [(product, moment) for product, *both in spans for moment in both if moment != now]
    parts = dict(zip(ends, units_before(list(ends)), strict=True)) if ends else {}
    return [
        whole - parts.get((product, since), 0) + parts.get((product, until), 0)
        for whole, (product, since, until) in zip(units_of_hours(hours), spans, strict=True)
    ]


def _whole(until: datetime, now: datetime) -> datetime:
    """Of the hour that is running all is before now."""
    return rules.hour_of(until) + (rules.HOUR if until == now else 0 * rules.HOUR)
