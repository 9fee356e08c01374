"""What somebody has bought, and their wallet."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.ledger import selectors as ledger
from common.errors import SoukError
from dashboards.storefront import selectors, services
from dashboards.storefront.forms import DepositForm, PayForm
from dashboards.storefront.pages.shop import number as page_number
from dashboards.storefront.pages.shop import to_payment
from dashboards.storefront.pages.told import members, told, user_id
from dashboards.storefront.words import words_of
from payments.checkout import services as checkout
from shop.orders import selectors as orders

ENTRIES = 15


@members
@require_safe
@told
def purchases(request: HttpRequest) -> HttpResponse:
    page = page_number(request.GET.get("page"))
    found, more = selectors.bought(user_id(request), page=page)
    return render(
        request, "storefront/purchases.html", {"bought": found, "page": page, "more": more}
    )


@members
@require_safe
@told
def purchase(request: HttpRequest, number: str) -> HttpResponse:
    return _purchase(request, number)


def _purchase(
    request: HttpRequest,
    number: str,
    *,
    form: PayForm | None = None,
    wrong: Any = "",
    status: int = 200,
) -> HttpResponse:
    found = selectors.bought_one(user_id(request), number)
    form = form or PayForm()
    shown = {
        "order": found.order,
        "payment": found.payment,
        "waits": found.waits,
        "form": form if found.may_change else None,
        "coins": form.coins(found.order.total),
        "wrong": wrong,
    }
    return render(request, "storefront/purchase.html", shown, status=status)


@members
@require_POST
@told
def cancel(request: HttpRequest, number: str) -> HttpResponse:
    buyer = user_id(request)
    try:
        checkout.order_cancel(order_id=orders.order_id(number, user_id=buyer), actor_id=buyer)
    except SoukError as error:
        return _purchase(request, number, wrong=words_of(error), status=error.status)
    messages.success(request, _("The order is cancelled. Nothing was charged."))
    return redirect("purchase", number=number)


@members
@require_POST
@told
def pay(request: HttpRequest, number: str) -> HttpResponse:
    """Another way to pay an order that is open."""
    form = PayForm(request.POST)
    if not form.is_valid():
        return _purchase(request, number, form=form, status=400)
    order_id = orders.order_id(number, user_id=user_id(request))
    try:
        services.payment_change(order_id=order_id, wanted=form.cleaned_data)
    except SoukError as error:
        said = words_of(error)
        return _purchase(request, number, form=form, wrong=said, status=error.status)
    return to_payment(request, number)


@members
@require_http_methods(["GET", "HEAD", "POST"])
@told
def wallet(request: HttpRequest) -> HttpResponse:
    form = DepositForm(request.POST if request.method == "POST" else None)
    if not form.is_bound or not form.is_valid():
        return _wallet(request, form, status=400 if form.is_bound else 200)
    try:
        made = services.deposit(user_id=user_id(request), wanted=form.cleaned_data)
    except SoukError as error:
        said = words_of(error)
        return _wallet(request, form.again(error), wrong=said, status=error.status)
    return redirect("pay", uid=made)


def _wallet(
    request: HttpRequest, form: DepositForm, *, wrong: Any = "", status: int
) -> HttpResponse:
    owner = user_id(request)
    shown = {
        "form": form,
        "coins": form.coins(None),
        "wrong": wrong,
        "balances": ledger.balances_of(owner),
        "entries": list(ledger.entries_of(owner).order_by("-pk")[:ENTRIES]),
    }
    return render(request, "storefront/wallet.html", shown, status=status)
