"""`/pay/{payment}/`: the uid in the address is all that is needed, so nothing personal is shown."""

from typing import Any, Final
from uuid import UUID

from csp.constants import NONCE, SELF
from csp.decorators import csp_replace
from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from common.errors import SoukError
from payments.checkout.paying import selectors
from payments.checkout.paying.forms import CardForm
from payments.checkout.paying.selectors import PaymentNow
from payments.stripe import services as stripe
from payments.stripe.errors import CardDeclined

# https://docs.stripe.com/security/guide#content-security-policy
STRIPE: Final = ["https://js.stripe.com", "https://*.js.stripe.com"]
STRIPE_POLICY: Final[dict[str, Any]] = {
    "script-src": [SELF, NONCE, *STRIPE],
    "connect-src": [SELF, "https://api.stripe.com"],
    "frame-src": [*STRIPE, "https://hooks.stripe.com"],
}


@require_safe
def payment(request: HttpRequest, uid: UUID) -> HttpResponseBase:
    return _page(request, selectors.payment_now(str(uid)))


@require_safe
def state(request: HttpRequest, uid: UUID) -> JsonResponse:
    """What the page's script asks for every few seconds."""
    return JsonResponse(selectors.payment_now(str(uid)).state)


@require_POST
def card(request: HttpRequest, uid: UUID) -> HttpResponseBase:
    """Try one of the test cards, where there are such."""
    now, form = selectors.payment_now(str(uid)), CardForm(request.POST)
    if not selectors.takes_test_cards():
        raise Http404
    if not form.is_valid():
        return _page(request, now, form=form, status=400)
    try:
        stripe.payment_confirm(payment_id=now.payment.pk, payment_method=form.cleaned_data["card"])
    except CardDeclined:
        pass  # written down with the payment, whose page says it
    except SoukError as error:
        now = selectors.payment_now(str(uid))
        return _page(request, now, problem=error.detail, status=error.status)
    return redirect("pay", uid=uid)


def _page(
    request: HttpRequest,
    now: PaymentNow,
    *,
    form: CardForm | None = None,
    problem: str = "",
    status: int = 200,
) -> HttpResponseBase:
    shown = {
        "now": now,
        "payment": now.payment,
        "problem": problem,
        "form": (form or CardForm()) if selectors.takes_test_cards() else None,
        "authenticate": selectors.sandbox_authentication(now),
    }
    if not selectors.takes_cards(now):
        return render(request, "payments/pay/page.html", shown, status=status)
    return _with_stripe(request, shown, status)


def _with_stripe(request: HttpRequest, shown: dict[str, Any], status: int) -> HttpResponseBase:
    @csp_replace(STRIPE_POLICY)
    def page(request: HttpRequest) -> HttpResponseBase:
        return render(request, "payments/pay/page.html", {**shown, "typed": True}, status=status)

    return page(request)
