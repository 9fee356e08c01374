"""Confirming a card on the server, and Stripe's webhook."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.sessions.authentication import principal
from common.api import problems
from common.api.docs import operation
from common.api.idempotent import idempotent
from common.api.views import ApiView
from payments.intake import selectors as intake
from payments.intake.api import payment_body
from payments.intake.serializers import PaymentOut
from payments.stripe import services
from payments.stripe.errors import BadSignature
from payments.stripe.serializers import ConfirmIn


def _body(request: Request, uid: str) -> Any:
    return payment_body(intake.payment_of(principal(request).pk, uid))


class ConfirmPayment(ApiView):
    @operation(
        "Try a card on the server",
        answers={202: PaymentOut},
        refusals=(400, 401, 402, 404, 409),
        keyed=True,
        request=ConfirmIn,
        tags=["payments"],
    )
    @idempotent(_body)
    def post(self, request: Request, uid: UUID) -> Response:
        body = self.body(request, ConfirmIn)
        payment = intake.payment_of(principal(request).pk, str(uid))
        services.payment_confirm(payment_id=payment.pk, payment_method=body["payment_method"])
        return Response(_body(request, str(uid)), status=202)


@csrf_exempt
@require_POST
def webhook(request: HttpRequest) -> HttpResponse:
    """Stripe's events: 200 once stored, 400 for a signature that does not verify."""
    try:
        services.webhook_receive(
            payload=request.body, signature=request.headers.get("Stripe-Signature", "")
        )
    except BadSignature as error:
        return problems.plain(error, request)
    return HttpResponse(status=200)
