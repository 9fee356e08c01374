"""What a sale's published figures show at a moment."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shop.flash_sales.live.rules import Figures, RunFigures, decode, encode, stock
from shop.flash_sales.rules import Counts

NOON = datetime(2030, 1, 31, 12, tzinfo=UTC)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


def run(number: int = 1, start: datetime = NOON, **how: object) -> RunFigures:
    made = RunFigures(number, 5, start, start + HOUR, None, Counts(5, 0, 0, 0))
    return replace(made, **how)  # type: ignore[arg-type]


def shown(runs: list[RunFigures], now: datetime) -> tuple[int, str]:
    found = stock(Figures(NOON - HOUR, tuple(runs)), now)
    assert found is not None
    return found.run, found.status


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (NOON - SECOND, (1, "scheduled")),
        (NOON, (1, "live")),
        (NOON + HOUR - SECOND, (1, "live")),
        (NOON + HOUR, (1, "ended")),
        (NOON + 2 * HOUR, (2, "live")),
    ],
)
def test_starts_and_ends_show_without_being_published(
    now: datetime, expected: tuple[int, str]
) -> None:
    assert shown([run(), run(2, NOON + 2 * HOUR)], now) == expected


def test_what_is_sold_out_lives_again_and_what_is_paid_ends() -> None:
    sold_out, paid = Counts(0, 2, 3, 0), Counts(0, 0, 5, 0)
    assert shown([run(counts=sold_out)], NOON) == (1, "sold_out")
    assert shown([run(counts=paid)], NOON) == (1, "ended")


def test_a_run_that_was_called_off_hides_no_other() -> None:
    called_off = run(ended_at=NOON - HOUR)
    assert shown([called_off, run(2, NOON + HOUR)], NOON) == (2, "scheduled")
    assert shown([called_off], NOON) == (1, "ended")


def test_it_is_as_of_the_count_or_of_what_the_clock_has_changed_since() -> None:
    figures = Figures(NOON - HOUR, (run(),))
    moments = [stock(figures, now) for now in (NOON - SECOND, NOON + SECOND, NOON + 2 * HOUR)]
    assert [m and m.as_of for m in moments] == [NOON - HOUR, NOON, NOON + HOUR]
    assert figures.changes_after(NOON - SECOND) == NOON
    assert figures.changes_after(NOON) == NOON + HOUR
    assert figures.changes_after(NOON + HOUR) is None


def test_a_sale_without_runs_shows_nothing() -> None:
    assert stock(Figures(NOON, ()), NOON) is None


def test_figures_are_the_same_after_they_were_written_and_read() -> None:
    runs = (run(), run(2, NOON + HOUR, ends_at=None), run(3, ended_at=NOON + SECOND / 7))
    assert decode(encode(runs), NOON) == Figures(NOON, runs)
