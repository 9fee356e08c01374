"""A sale's figures, counted in the database."""

from typing import Final

from common import clock
from shop.flash_sales import selectors
from shop.flash_sales.live.rules import Figures, RunFigures
from shop.flash_sales.models import FlashRun, FlashSale
from shop.flash_sales.rules import Counts

# Runs planned beyond are read when the first of these has become the one that is shown.
MOST_PLANNED: Final = 8


def figures_count(slug: str) -> Figures:
    """Raises NoSuchSale."""
    now, runs = selectors.runs_shown(FlashRun.objects.filter(sale__slug=slug))
    if not runs:
        selectors.sale_get(slug)
        return Figures(now, ())
    first, *later = runs
    counted = selectors.unit_counts([first.pk])[first.pk]
    # Nobody has bought of a run that has not started; its units need no counting.
    planned = [_figures(run, Counts(run.allocation, 0, 0, 0)) for run in later[:MOST_PLANNED]]
    return Figures(now, (_figures(first, counted), *planned))


def _figures(run: FlashRun, counts: Counts) -> RunFigures:
    return RunFigures(run.number, run.allocation, run.starts_at, run.ends_at, run.ended_at, counts)


def slug_of_run(run_id: int) -> str | None:
    return FlashRun.objects.filter(pk=run_id).values_list("sale__slug", flat=True).first()


def slugs_of_open_runs() -> list[str]:
    """Of sales with a run that has started and has not been ended."""
    open_runs = FlashRun.objects.filter(ended_at=None, starts_at__lte=clock.now())
    sales = FlashSale.objects.filter(pk__in=open_runs.values("sale_id"))
    return list(sales.values_list("slug", flat=True))
