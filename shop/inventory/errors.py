"""Refusals of the inventory."""

from collections.abc import Mapping

from common.errors import Conflict


class OutOfStock(Conflict):
    """Some products have fewer units available than were asked for."""

    code = "out_of_stock"
    title = "Not enough in stock."

    def __init__(self, shortages: Mapping[int, "Shortage"]) -> None:
        self.product_ids = set(shortages)
        self.shortages = list(shortages.values())
        super().__init__(
            "Not enough in stock: " + ", ".join(s.slug for s in shortages.values()) + ".",
            errors=[s.as_error() for s in shortages.values()],
        )


class Shortage:
    """One short product: how much was wanted and what is left."""

    def __init__(self, slug: str, wanted: int, available: int) -> None:
        self.slug, self.wanted, self.available = slug, wanted, available

    def as_error(self) -> dict[str, object]:
        return {
            "field": "lines",
            "code": "out_of_stock",
            "detail": f"{self.available} of {self.slug} left.",
            "product": self.slug,
            "requested": self.wanted,
            "available": self.available,
        }


class StockBelowHeld(Conflict):
    code = "stock_below_held"
    title = "Stock cannot go below the units that are held for open orders."
