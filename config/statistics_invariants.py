"""Statistics are sums of rows: where they are settled and differ, something is broken.

What happened since they were counted last is a lag and no breach.
"""

from collections.abc import Callable, Iterator
from typing import Final

from payments.checkout.selectors import history_differences
from payments.statistics.selectors import PAYMENTS
from shop.statistics import selectors
from shop.statistics.selectors import SALES


def statistics_are_sums_of_rows() -> Iterator[str]:
    for book in (SALES, PAYMENTS):
        for line in selectors.breaches(book):
            yield f"10 {line}"
    for line in selectors.run_differences():
        yield f"10 {line}"


def past_purchases_are_sums_of_orders() -> Iterator[str]:
    for line in history_differences():
        yield f"10 {line}"


CHECKS: Final[tuple[Callable[[], Iterator[str]], ...]] = (
    statistics_are_sums_of_rows,
    past_purchases_are_sums_of_orders,
)
