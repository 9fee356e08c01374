"""Refusals of the waiting room."""

from common.errors import Forbidden, Invalid, NotFound


class NotAdmitted(Forbidden):
    """403 and not 409: a refusal that an Idempotency-Key keeps would outlast the wait."""

    code = "not_admitted"
    title = "The sale has a waiting room, and it is not your turn."

    def __init__(self, *, position: int | None = None, wait: int = 1) -> None:
        detail = "Ask for a place first." if position is None else f"You are number {position}."
        super().__init__(detail, position=position, retry_after=wait)


class NotQueued(NotFound):
    code = "not_queued"
    title = "You have no place in this waiting room."


class InvalidTicket(Invalid):
    code = "invalid_ticket"
    title = "This is no ticket of yours for this run."

    def __init__(self) -> None:
        item = {"field": "ticket", "code": self.code, "detail": self.title}
        super().__init__(errors=[item])
