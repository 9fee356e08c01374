"""Charts as numbers for an SVG: what templates/charts draws. Pure.

Coordinates are SVG user units, from the upper left corner. A value that is None is known to be
small and not told: it is drawn as a low bar of its own kind.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

WIDTH: Final = 600
HEIGHT: Final = 160
GAP: Final = 2
# Of a bar whose value is not told, and the least of one above zero.
LOW: Final = 3


@dataclass(frozen=True, slots=True)
class Bar:
    label: str
    value: int | None
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Line:
    """`points` as a polyline has them; `area` closes them along the ground."""

    points: str
    area: str
    width: int
    height: int


def bars(
    values: Sequence[tuple[str, int | None]], *, width: int = WIDTH, height: int = HEIGHT
) -> list[Bar]:
    """A bar for each (label, value), the highest as high as the chart."""
    if not values:
        return []
    highest = max((value or 0 for _, value in values), default=0)
    step = width // len(values)
    return [
        _bar(label, value, number * step, step, highest, height)
        for number, (label, value) in enumerate(values)
    ]


def _bar(label: str, value: int | None, x: int, step: int, highest: int, height: int) -> Bar:
    tall = LOW if value is None else height * value // highest if highest else 0
    tall = max(tall, LOW) if value else tall
    return Bar(label, value, x, height - tall, max(1, step - GAP), tall)


def line(values: Sequence[Decimal], *, width: int, height: int) -> Line | None:
    """A line through evenly spaced values; None for fewer than two."""
    if len(values) < 2:
        return None
    low, high = min(values), max(values)
    # A price that never moved is a line in the middle.
    span = high - low or None
    xs = [number * width // (len(values) - 1) for number in range(len(values))]
    ys = [_height(value, low, span, height) for value in values]
    points = " ".join(f"{x},{y}" for x, y in zip(xs, ys, strict=True))
    return Line(points, f"0,{height} {points} {width},{height}", width, height)


def _height(value: Decimal, low: Decimal, span: Decimal | None, height: int) -> int:
    share = Decimal("0.5") if span is None else (value - low) / span
    return height - 2 - round(share * (height - 4))


def curve(points: Sequence[tuple[int, int]], *, width: int, height: int) -> Line | None:
    """A line through (x, y) from the ground on, as wide and as high as the greatest of each.

    Values are zero or above, in order of x; None where nothing is to be drawn.
    """
    if not points:
        return None
    last, most = max(x for x, _ in points) or 1, max(y for _, y in points) or 1
    low = height - 2
    drawn = [(width * x // last, low - (height - 4) * y // most) for x, y in points]
    text = " ".join(f"{x},{y}" for x, y in [(0, low), *drawn])
    return Line(text, f"0,{height} {text} {width},{height}", width, height)


def steps(values: Sequence[Decimal]) -> list[Decimal]:
    """Each value twice, so that a line through them goes up in steps and not in slopes."""
    return [value for value in values for _ in range(2)]
