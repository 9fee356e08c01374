"""Refusals of the market, and what goes wrong at a provider."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from common.errors import Busy, FieldRefused, NotFound


class InvalidCoin(FieldRefused):
    code, field = "invalid_coin", "coin"
    title = "There is no such coin here; market/coins/ lists those there are."


class RangeReversed(FieldRefused):
    code, field = "range_reversed", "from"
    title = "The range must end after it begins."


class NoData(NotFound):
    code = "no_data"
    title = "There is no price of this coin yet."


class RateUnavailable(Busy):
    """No rate can be trusted with money; `methods` are other ways to pay, which go on."""

    code = "rate_unavailable"
    title = "No rate for this token can be trusted at the moment."

    def __init__(self, methods: Sequence[str] = (), *, retry_after: int = 60) -> None:
        more = f" Pay by {' or '.join(methods)} meanwhile." if methods else ""
        super().__init__(self.title + more, retry_after=retry_after, methods=list(methods))


class Trouble(StrEnum):
    """How a provider failed; the first three name the window that is used up there."""

    MINUTE_USED = "minute_used"
    DAY_USED = "day_used"
    MONTH_USED = "month_used"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    GARBLED = "garbled"


class ProviderFault(Exception):
    """A provider gave no prices. `charged`: it counts the call all the same."""

    def __init__(
        self,
        trouble: Trouble,
        detail: str = "",
        *,
        retry_after: timedelta | None = None,
        charged: bool = True,
    ) -> None:
        super().__init__(f"{trouble}: {detail}"[:200])
        self.trouble, self.retry_after, self.charged = trouble, retry_after, charged


class NotNow(Exception):
    """A provider is not to be asked before `until`: its budget is spent, or it failed."""

    def __init__(self, reason: str, until: datetime) -> None:
        super().__init__(reason)
        self.reason, self.until = reason, until
