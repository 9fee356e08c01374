"""Refusals of payments and refunds."""

from common.errors import Conflict, Invalid
from common.money import to_text


class MethodUnavailable(Invalid):
    """No gateway of this shop takes this method."""

    code = "method_unavailable"
    title = "This way to pay is not available."

    def __init__(self, method: str) -> None:
        detail = f"{method} is not available here."
        super().__init__(
            detail,
            errors=[{"field": "payment.method", "code": self.code, "detail": detail}],
        )


class RefundExceedsCaptured(Conflict):
    code = "refund_exceeds_captured"
    title = "More than what is left to refund."

    def __init__(self, left: int, currency: str) -> None:
        text = to_text(left, currency)
        super().__init__(f"{text} {currency} is left to refund.", left=text, currency=currency)


class RefundLinesInvalid(Invalid):
    code = "refund_lines_invalid"
    title = "The lines do not fit the order."

    def __init__(self, detail: str) -> None:
        super().__init__(detail, errors=[{"field": "lines", "code": self.code, "detail": detail}])


class DestinationInvalid(Invalid):
    code = "destination_invalid"
    title = "A deposit goes back to where it came from: it is in the wallet already."

    def __init__(self) -> None:
        item = {"field": "destination", "code": self.code, "detail": self.title}
        super().__init__(self.title, errors=[item])


class NotUsable(Conflict):
    """Money in review that cannot pay for its order; it can be refunded."""

    code = "not_usable"

    def __init__(self, why: str) -> None:
        super().__init__(f"The money cannot be used for its order: {why}.", reason=why)


class AddressInvalid(Invalid):
    """Coins go back to an address, and nothing else does."""

    code = "to_address_invalid"
    title = "This refund needs an address of the chain, or may have none."

    def __init__(self, *, wanted: bool) -> None:
        detail = (
            "Coins need an address of the chain to go back to, with the right checksum."
            if wanted
            else "Only coins that go back to the chain have an address."
        )
        item = {"field": "to_address", "code": self.code, "detail": detail}
        super().__init__(detail, errors=[item])
