"""The catalogue and one product; a flash sale; and buying."""

from typing import Any, Final
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from common import clock
from common.addresses import client_address
from common.errors import SoukError
from dashboards import charts
from dashboards.storefront import selectors, services
from dashboards.storefront.forms import BuyForm, FlashForm
from dashboards.storefront.pages.told import sign_in_and_back, told, user_id
from dashboards.storefront.words import words_of
from shop.catalogue import selectors as catalogue
from shop.flash_sales import selectors as flash_sales
from shop.flash_sales.rules import RunStatus
from shop.flash_sales.waiting.rules import Place, PlaceStatus

# Of a form, what goes on in an address; where somebody wants coins back to is nobody's business.
CHOSEN: Final = ("quantity", "method", "token")
LET_IN: Final = (PlaceStatus.ADMITTED, PlaceStatus.OPEN)
HISTORY: Final = {"width": 600, "height": 120}


@require_safe
@told
def products(request: HttpRequest) -> HttpResponse:
    asked, page = (
        request.GET.get("q", "")[:100].replace("\x00", ""),
        number(request.GET.get("page")),
    )
    member = request.user.is_authenticated
    rows = catalogue.product_list(member=member, wanted=catalogue.ProductFilter(search=asked))
    start = selectors.PAGE * (page - 1)
    found = list(rows[start : start + selectors.PAGE + 1])
    shown = {
        "asked": asked,
        "page": page,
        "more": len(found) > selectors.PAGE,
        "products": [selectors.seen(row, member=member) for row in found[: selectors.PAGE]],
    }
    return render(request, "storefront/products.html", shown)


def number(text: str | None) -> int:
    """A page's number; what is none is the first page's."""
    plain = text is not None and text.isascii() and text.isdigit() and len(text) < 7
    return max(1, int(text)) if text and plain else 1


@require_safe
@told
def product(request: HttpRequest, slug: str) -> HttpResponse:
    return _product(request, slug, BuyForm(initial=_from_address(request)))


def _from_address(request: HttpRequest) -> dict[str, Any]:
    """What was chosen before signing in."""
    return {name: request.GET[name] for name in CHOSEN if name in request.GET}


def _product(
    request: HttpRequest, slug: str, form: BuyForm, *, wrong: Any = "", status: int = 200
) -> HttpResponse:
    member = request.user.is_authenticated
    found = selectors.seen(catalogue.product_get(slug), member=member)
    token, steps = request.GET.get("token", ""), selectors.price_steps(slug)
    known = token in selectors.tokens()
    shown = {
        "seen": found,
        "product": found.row,
        "form": form,
        "coins": form.coins(found.price),
        "wrong": wrong,
        "token": token if known else "",
        "tokens": selectors.tokens(),
        "token_price": selectors.token_price(found.price, token) if known else None,
        "steps": steps,
        "line": charts.line(charts.steps([price for _, price in steps]), **HISTORY),
        "lowest": catalogue.lowest_price_30d(found.row),
    }
    return render(request, "storefront/product.html", shown, status=status)


@require_POST
@told
def buy(request: HttpRequest, slug: str) -> HttpResponse:
    form, page = BuyForm(request.POST), reverse("product", args=[slug])
    if not request.user.is_authenticated:
        return _sign_in_first(form, page)
    if not form.is_valid():
        return _product(request, slug, form, status=400)
    try:
        made = services.order_buy(user_id=user_id(request), slug=slug, wanted=form.cleaned_data)
    except SoukError as error:
        form = renewed(form) if error.code == "price_changed" else form.again(error)
        return _product(request, slug, form, wrong=words_of(error), status=error.status)
    return to_payment(request, made)


def renewed(form: BuyForm) -> BuyForm:
    """The same choice, for the price that the page shows now."""
    return BuyForm(initial={n: form.cleaned_data[n] for n in (*CHOSEN, "refund_address")})


def _sign_in_first(form: BuyForm, page: str) -> HttpResponse:
    form.is_valid()
    kept = {name: form.cleaned_data[name] for name in CHOSEN if form.cleaned_data.get(name)}
    return redirect(sign_in_and_back(f"{page}?{urlencode(kept)}" if kept else page))


def to_payment(request: HttpRequest, made: str) -> HttpResponse:
    """To the payment's page while it waits for something, else to the order's."""
    bought = selectors.bought_one(user_id(request), made)
    if bought.waits and bought.payment is not None:
        return redirect("pay", uid=bought.payment.uid)
    return redirect("purchase", number=made)


@require_safe
@told
def flash(request: HttpRequest, slug: str) -> HttpResponse:
    form = FlashForm(initial=_from_address(request))
    return _flash(request, slug, form, ticket=request.GET.get("ticket", ""))


def _flash(
    request: HttpRequest,
    slug: str,
    form: FlashForm,
    *,
    ticket: str,
    wrong: Any = "",
    status: int = 200,
) -> HttpResponse:
    found = flash_sales.sale_now(flash_sales.sale_get(slug))
    run, now = found.run, clock.now()
    room = found.sale.admission_rate is not None
    place = _place(request, slug, ticket) if room else None
    shown = {
        "now": found,
        "sale": found.sale,
        "product": found.sale.product,
        "picture": catalogue.picture(found.sale.product),
        "run": run,
        "to_start": seconds_until(run.run.starts_at, now) if run else None,
        "to_end": seconds_until(run.run.ends_at, now) if run else None,
        "to_next": seconds_until(found.next_run.starts_at, now) if found.next_run else None,
        "leaders": selectors.leaders(slug),
        "room": room and (found.status != RunStatus.ENDED or found.next_run is not None),
        "place": place,
        "to_lapse": seconds_until(place.admitted_until, now) if place else None,
        "may_buy": not room or (place is not None and place.status in LET_IN),
        "form": form,
        "coins": form.coins(run.run.price) if run else [],
        "wrong": wrong,
    }
    return render(request, "storefront/flash.html", shown, status=status)


def _place(request: HttpRequest, slug: str, ticket: str) -> Place | None:
    if not request.user.is_authenticated:
        return None
    return services.place_find(slug=slug, user_id=user_id(request), ticket=ticket)


def seconds_until(moment: Any, now: Any) -> int | None:
    return None if moment is None else max(0, round((moment - now).total_seconds()))


@require_POST
@told
def flash_buy(request: HttpRequest, slug: str) -> HttpResponse:
    form, page = FlashForm(request.POST), reverse("flash", args=[slug])
    ticket = request.POST.get("ticket", "")
    if not request.user.is_authenticated:
        return _sign_in_first(form, page)
    if not form.is_valid():
        return _flash(request, slug, form, ticket=ticket, status=400)
    try:
        made = services.flash_buy(
            user_id=user_id(request),
            slug=slug,
            wanted=form.cleaned_data,
            address=client_address(request),
        )
    except SoukError as error:
        said, form = words_of(error), form.again(error)
        return _flash(request, slug, form, ticket=ticket, wrong=said, status=error.status)
    return to_payment(request, made)


@require_POST
@told
def flash_queue(request: HttpRequest, slug: str) -> HttpResponse:
    """Take a place in the waiting room; its ticket stands in the address of the sale's page."""
    page = reverse("flash", args=[slug])
    if not request.user.is_authenticated:
        return redirect(sign_in_and_back(page))
    place = services.place_take(slug=slug, user_id=user_id(request))
    return redirect(f"{page}?{urlencode({'ticket': place.ticket})}" if place.ticket else page)
