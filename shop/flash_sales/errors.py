"""Refusals of flash sales."""

from datetime import datetime

from common.errors import Conflict, FieldRefused, Invalid, NotFound
from common.moments import moment_text


class NoSuchSale(NotFound):
    title = "There is no such flash sale."


class NoSuchRun(NotFound):
    title = "There is no such run of this flash sale."


class SaleNotStarted(Conflict):
    code = "sale_not_started"
    title = "The sale has not started."

    def __init__(self, starts_at: datetime, *, seconds: float) -> None:
        """`seconds` are left until then by the database's clock."""
        self.starts_at, self.seconds = starts_at, seconds
        moment = moment_text(starts_at)
        super().__init__(f"The sale starts at {moment}.", starts_at=moment)


class SaleEnded(Conflict):
    code = "sale_ended"
    title = "The sale has ended."


class SoldOut(Conflict):
    code = "sold_out"
    title = "Not enough units are left."

    def __init__(self, *, wanted: int, left: int, run_id: int | None = None) -> None:
        self.run_id = run_id
        super().__init__(
            f"{left} units are left and {wanted} were asked for.", requested=wanted, remaining=left
        )


class UserLimitReached(Conflict):
    code = "user_limit_reached"
    title = "Nobody may have more units of this sale."

    def __init__(self, *, limit: int, left: int) -> None:
        self.limit, self.left = limit, left
        super().__init__(
            f"Nobody may have more than {limit} units; {left} are left to you.",
            limit=limit,
            left=left,
        )


class OrderLimitExceeded(Invalid):
    code, field = "order_limit_exceeded", "quantity"
    title = "One order may not have as many units."

    def __init__(self, limit: int) -> None:
        detail = f"One order may have {limit} units."
        item = {"field": self.field, "code": self.code, "detail": detail}
        super().__init__(detail, errors=[item], limit=limit)


class UnknownProduct(FieldRefused):
    code, field = "unknown_product", "product"
    title = "There is no such product on sale."


class SlugTaken(Conflict):
    code = "slug_taken"
    title = "Another flash sale has this slug."


class StartsInThePast(FieldRefused):
    code, field = "starts_in_the_past", "starts_at"
    title = "A run starts in the future."


class WindowReversed(FieldRefused):
    code, field = "window_reversed", "ends_at"
    title = "A run ends after it has started."


class NoRunToChange(Conflict):
    code = "no_run_to_change"
    title = "No run of this sale is live or planned."


class AllocationMissing(FieldRefused):
    code, field = "required", "allocation"
    title = "There is no earlier run whose allocation this one could have."


class RunOverlaps(Conflict):
    code = "run_overlaps"
    title = "Another run of this sale is open then."

    def __init__(self, number: int) -> None:
        super().__init__(f"Run {number} of this sale is open then.", run=number)


class AllocationAboveStock(Conflict):
    code = "allocation_above_stock"
    title = "There are not as many units in stock."

    def __init__(self, *, wanted: int, available: int) -> None:
        super().__init__(
            f"{available} units are available and {wanted} were asked for.",
            requested=wanted,
            available=available,
        )


class PromiseBroken(Conflict):
    code = "promise_broken"
    title = "The run is live, and its buyers were promised otherwise."

    def __init__(self, field: str) -> None:
        super().__init__(
            f"The run is live; its {field} may not change to its buyers' disadvantage.", field=field
        )
