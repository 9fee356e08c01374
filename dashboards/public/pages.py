"""The shop's face: for a visitor who has no account, and works with scripting off."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboards import charts
from dashboards.public import selectors

SPARK: Final = {"width": 120, "height": 36}
WEEKS: Final = {"width": 600, "height": 90}


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    found, age = selectors.dashboard()
    return render(request, "public/home.html", {"shop": found, **_drawn(found, age)})


def _drawn(found: dict[str, Any], age: float) -> dict[str, Any]:
    return {
        "days": charts.bars([(row["day"], row["units"]) for row in found["sales_by_day"]]),
        "top": [_with_weeks(seller) for seller in found["top_sellers"]],
        "coins": [_with_line(coin) for coin in found["coins"]],
        "sales": [with_seconds(sale, found["as_of"], age) for sale in found["flash_sales"]],
    }


def _with_weeks(seller: dict[str, Any]) -> dict[str, Any]:
    weeks = [(row["week"], row["units"]) for row in seller["by_week"]]
    return {**seller, "bars": charts.bars(weeks, **WEEKS)}


def _with_line(coin: dict[str, Any]) -> dict[str, Any]:
    return {**coin, "line": charts.line([Decimal(point) for point in coin["points"]], **SPARK)}


def with_seconds(sale: dict[str, Any], as_of: str, age: float) -> dict[str, Any]:
    """With the seconds until its start and its end, by the database's clock at the reading."""
    return {
        **sale,
        "to_start": _seconds(sale["starts_at"], as_of, age),
        "to_end": _seconds(sale["ends_at"], as_of, age),
    }


def _seconds(moment: str | None, as_of: str, age: float) -> int | None:
    if moment is None:
        return None
    ahead = datetime.fromisoformat(moment) - datetime.fromisoformat(as_of)
    return max(0, round(ahead.total_seconds() - age))
