"""The staff dashboard inside the admin; each form comes back with what was typed."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from common.admin.forms import ServiceForm
from common.admin.once import carry_out
from common.admin.pages import rendered, staff_page
from common.money import to_minor
from dashboards import charts
from dashboards.staff import selectors
from dashboards.staff.forms import PeriodForm, ProductForm, StockForm
from dashboards.staff.rules import Period

TEMPLATE: Final = "staff/dashboard.html"
CHART: Final = {"width": 1200, "height": 220}
CURVE: Final = {"width": 600, "height": 120}
# Who may look; what may be changed has a permission of its own.
LOOK: Final = ("shop.view_order", "shop.view_product", "payments.view_payment")
PRICE: Final = "shop.change_product"
STOCK: Final = "shop.change_stock"
# Sections that link to what not everybody who looks may see.
SECTIONS: Final = {
    "batches": "payments.view_exchangebatch",
    "providers": "payments.view_providerstate",
    "outbox": "common.view_outboxmessage",
    "refunds": "payments.view_refund",
    "stock": "shop.view_stock",
    "runs": "shop.view_flashrun",
}


@staff_page(*LOOK)
@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    return _page(request)


@staff_page(*LOOK)
@require_safe
def product(request: HttpRequest, slug: str) -> HttpResponse:
    """The same with one product open."""
    row = _product(slug)
    return _page(request, row, price=ProductForm(row=row), stock=StockForm(row=row))


@staff_page(*LOOK, PRICE)
@require_POST
def price(request: HttpRequest, slug: str) -> HttpResponse:
    row = _product(slug)
    form = ProductForm(request.POST, row=row)
    return _sent(request, row, form, price=form, stock=StockForm(row=row))


@staff_page(*LOOK, STOCK)
@require_POST
def stock(request: HttpRequest, slug: str) -> HttpResponse:
    row = _product(slug)
    form = StockForm(request.POST, row=row)
    return _sent(request, row, form, price=ProductForm(row=row), stock=form)


def _product(slug: str) -> Any:
    found = selectors.product_find(slug)
    if found is None:
        raise Http404
    return found


def _sent(request: HttpRequest, row: Any, form: ServiceForm, **forms: ServiceForm) -> HttpResponse:
    if form.is_valid() and carry_out(request, form):
        here = reverse("staff-product", args=[row.slug])
        return redirect(f"{here}?{_query(PeriodForm(request.GET))}#product")
    return _page(request, row, status=400, **forms)


def _query(form: PeriodForm) -> str:
    """The period of the address, for the links that keep it; a wrong one is not kept."""
    found = form.period if form.is_valid() else None
    if found is None:
        return ""
    days = {"from": found.since.isoformat(), "to": found.until.isoformat()}
    return urlencode({**days, "granularity": found.granularity.value})


def _page(
    request: HttpRequest, row: Any = None, *, status: int = 200, **forms: ServiceForm
) -> HttpResponse:
    form = PeriodForm(request.GET)
    query = _query(form)
    context = {
        "period_form": form if form.errors else PeriodForm(_shown(form.period)),
        "query": query,
        "may": {name: request.user.has_perm(right) for name, right in SECTIONS.items()},
    }
    title = _("Dashboard")
    if form.period is None:
        return rendered(request, TEMPLATE, title=title, status=400, **context)
    found = selectors.dashboard(form.period)
    context |= {"found": found, **_drawn(found)}
    if row is not None:
        context["open"] = _opened(request, form.period, row, found, forms)
    return rendered(request, TEMPLATE, title=title, status=status, **context)


def _shown(period: Period | None) -> dict[str, str]:
    if period is None:
        return {}
    days = {"from": period.since.isoformat(), "to": period.until.isoformat()}
    return {**days, "granularity": period.granularity.value}


def _opened(
    request: HttpRequest,
    period: Period,
    row: Any,
    found: dict[str, Any],
    forms: dict[str, ServiceForm],
) -> dict[str, Any]:
    """A product with its figures, what its last prices did, and the forms that one may use."""
    rights = {"price": PRICE, "stock": STOCK}
    return {
        **selectors.product_figures(period, row),
        "row": row,
        "changes": selectors.product_changes(row.pk, found["as_of"]),
        "forms": {
            name: form for name, form in forms.items() if request.user.has_perm(rights[name])
        },
    }


def _drawn(found: dict[str, Any]) -> dict[str, Any]:
    steps = found["by_day"]
    revenue = [(row["day"], _cents(row["revenue"])) for row in steps]
    return {
        "revenue_bars": _told(charts.bars(revenue, **CHART), [row["revenue"] for row in steps]),
        "order_bars": _told(
            charts.bars([(row["day"], row["orders"]) for row in steps], **CHART),
            [str(row["orders"]) for row in steps],
        ),
        "runs": [_with_curve(run) for run in found["flash_runs"]],
    }


def _cents(amount: str) -> int:
    return to_minor(Decimal(amount), selectors.CURRENCY)


def _told(bars: list[charts.Bar], texts: list[str]) -> list[tuple[charts.Bar, str]]:
    return list(zip(bars, texts, strict=True))


def _with_curve(run: dict[str, Any]) -> dict[str, Any]:
    start = datetime.fromisoformat(run["starts_at"])
    points = [
        (max(0, (datetime.fromisoformat(point["at"]) - start) // timedelta(milliseconds=1)), n)
        for point in run["curve"]
        for n in [point["purchases"]]
    ]
    return {**run, "line": charts.curve(points, **CURVE)}
