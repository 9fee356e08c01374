"""A sale's figures: published, and read from where they are published."""

import logging

from shop.flash_sales.errors import NoSuchRun
from shop.flash_sales.live import selectors
from shop.flash_sales.live.rules import Figures, Stock, micros, stock
from shop.flash_sales.live.store import AWAY, Begun, Published, board

logger = logging.getLogger(__name__)


def figures_publish(slug: str, *, since: int = 0) -> Begun:
    """Count and publish, unless another process does or has since.

    Raises NoSuchSale, and one of `store.AWAY`.
    """
    begun = board().begin(slug, since)
    if begun.won:
        # The version was taken above: a count that began before a newer one never replaces it.
        board().finish(slug, begun, selectors.figures_count(slug))
    return begun


def figures_now(slug: str) -> Published:
    """The published figures, or else counted now, and published for the others.

    Raises NoSuchSale.
    """
    try:
        return board().fetch(slug) or _published(slug)
    except AWAY as error:
        logger.warning("flash.no_board", extra={"error": type(error).__name__})
        return _counted(selectors.figures_count(slug))


def _published(slug: str) -> Published:
    begun = board().begin(slug)
    figures = selectors.figures_count(slug)
    if begun.won:
        board().finish(slug, begun, figures)
    return Published(begun.version, figures, figures.at)


def _counted(figures: Figures) -> Published:
    return Published(micros(figures.at), figures, figures.at)


def stock_now(slug: str) -> Stock:
    """What `stock/` says. Raises NoSuchSale, NoSuchRun."""
    found = figures_now(slug)
    shown = stock(found.figures, found.now or found.figures.at)
    if shown is None:
        raise NoSuchRun
    return shown


def figures_confirm() -> int:
    """Publish the figures of all open runs, which the process that changed them may not have.

    How many sales; none while Redis is away.
    """
    slugs = selectors.slugs_of_open_runs()
    try:
        return sum(figures_publish(slug).won for slug in slugs)
    except AWAY:
        return 0
