"""Count payments as `shop.statistics.services` counts orders."""

from payments.statistics.selectors import PAYMENTS
from shop.statistics import services


def methods_count() -> int:
    """Count what may have changed; returns how many hours were looked at."""
    return services.book_count(PAYMENTS)


def methods_recount() -> int:
    """Everything anew; returns how many days."""
    return services.book_recount(PAYMENTS)


def methods_differences() -> list[str]:
    """A line for each hour or day whose figures are not the sums of payments and refunds."""
    return services.book_differences(PAYMENTS)
