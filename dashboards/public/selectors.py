"""The public dashboard as plain values: the page and its JSON are made of the same call."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any, Final

from common.clock import now
from common.moments import moment_text
from common.money import to_text
from common.replicas import may_lag
from dashboards import store
from dashboards.public import rules
from payments.market import selectors as market
from shop.catalogue import selectors as catalogue
from shop.flash_sales import selectors as flash_sales
from shop.statistics import selectors as statistics

TOP: Final = 4
NEW: Final = 4
REDUCED: Final = 6
FLASH: Final = 3
COINS: Final = 6


def dashboard() -> tuple[dict[str, Any], float]:
    """The dashboard as its JSON has it, and how many seconds ago that was; amounts are text."""
    found, age = store.kept("public", _read)
    moment = datetime.fromisoformat(found["as_of"]) + timedelta(seconds=age)
    return {**found, "flash_sales": rules.opened(found["flash_sales"], moment)}, age


@may_lag
def _read() -> dict[str, Any]:
    moment = now()
    today = moment.date()
    month = today - timedelta(days=rules.DAYS - 1)
    units = statistics.units_by_day(since=month)
    return {
        "as_of": moment_text(moment),
        "counts": _counts(units),
        "top_sellers": _top_sellers(month, today),
        "sales_by_day": rules.by_day(units, today),
        "new_products": [product_of(row) for row in _newest()],
        "discounts": [product_of(row) for row in _reduced()],
        "flash_sales": [sale_of(found) for found in flash_sales.sales_next(limit=FLASH)],
        "coins": _coins(moment),
    }


def _counts(units: dict[date, int]) -> dict[str, Any]:
    return {
        "products": catalogue.product_list(member=False).count(),
        "categories": catalogue.category_list().count(),
        "units_sold_30d": rules.told(sum(units.values())),
    }


def _top_sellers(since: date, today: date) -> list[dict[str, Any]]:
    sold = statistics.best_sellers(since=since, limit=TOP)
    keys = [product_id for product_id, _ in sold]
    products = catalogue.products_by_id(keys)
    units = statistics.units_by_product(keys, since=rules.weeks_until(today)[0])
    return [
        {
            **product_of(products[product_id]),
            "units_sold_30d": rules.told(kept),
            "by_week": rules.by_week(units, product_id, today),
        }
        for product_id, kept in sold
        if product_id in products
    ]


def _newest() -> Iterable[Any]:
    wanted = catalogue.ProductFilter(ordering=("-created_at",))
    return catalogue.product_list(member=False, wanted=wanted)[:NEW]


def _reduced() -> Iterable[Any]:
    """What is reduced for members, and so what is reduced for everybody."""
    wanted = catalogue.ProductFilter(on_sale=True, ordering=("name",))
    return catalogue.product_list(member=True, wanted=wanted)[:REDUCED]


def product_of(row: Any) -> dict[str, Any]:
    """A product as a visitor sees it; `saving` is what a member pays less than the list price."""
    visitor, member = (catalogue.price_of(row, member=who) for who in (False, True))
    currency = row.currency
    return {
        "slug": row.slug,
        "name": row.name,
        "image": catalogue.picture(row),
        "currency": currency,
        "price": to_text(visitor, currency),
        "list_price": to_text(row.list_price, currency),
        "member_price": to_text(member, currency) if member < visitor else None,
        "saving": to_text(row.list_price - member, currency) if member < row.list_price else None,
        "available": row.stock.available,
    }


def sale_of(found: flash_sales.SaleNow) -> dict[str, Any]:
    """A flash sale with the run that is open or comes next."""
    sale, product, run = found.sale, found.sale.product, found.run
    return {
        "slug": sale.slug,
        "product": product.slug,
        "name": product.name,
        "image": catalogue.picture(product),
        "currency": product.currency,
        "price": to_text(run.run.price if run else sale.price, product.currency),
        "list_price": to_text(product.list_price, product.currency),
        "condition": sale.condition_name,
        "status": None if found.status is None else str(found.status),
        "starts_at": _moment(run.run.starts_at) if run else None,
        "ends_at": _moment(run.run.ends_at) if run else None,
        "allocation": run.run.allocation if run else 0,
        "remaining": run.counts.free if run else 0,
    }


def _coins(moment: datetime) -> list[dict[str, Any]]:
    found = market.overview(since=moment - timedelta(days=1), most=COINS)
    return [
        {
            "coin": one.coin.id,
            "symbol": one.coin.symbol,
            "name": one.coin.name,
            "price": format(one.price.price.normalize(), "f"),
            "change_24h": one.price.change_24h,
            "source": one.price.source,
            "as_of": moment_text(one.price.as_of),
            "stale": market.is_stale(one.price),
            "points": [format(point.normalize(), "f") for point in one.points],
        }
        for one in found
    ]


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment_text(moment)
