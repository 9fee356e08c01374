"""Refusals of orders."""

from collections.abc import Sequence

from common.errors import Conflict, Invalid
from common.money import to_text


class UnknownProducts(Invalid):
    """Slugs that no product on sale has."""

    code = "unknown_product"
    title = "Some products do not exist."

    def __init__(self, slugs: Sequence[str]) -> None:
        super().__init__(
            "Not for sale: " + ", ".join(slugs) + ".",
            errors=[
                {"field": "lines", "code": self.code, "detail": f"{slug} is not for sale."}
                for slug in slugs
            ],
        )


class PriceChanged(Conflict):
    code = "price_changed"
    title = "The total is not the expected one."

    def __init__(self, expected: int, total: int, currency: str) -> None:
        super().__init__(
            expected_total=to_text(expected, currency),
            total=to_text(total, currency),
            currency=currency,
        )


class TotalTooLarge(Invalid):
    code = "total_too_large"
    title = "The total is larger than one order may be."
