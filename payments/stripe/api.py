"""Confirming a card on the server, Stripe's webhook, and what staff see of its events."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.sessions.authentication import principal
from common.api import problems
from common.api.docs import cursor_of, operation
from common.api.idempotent import idempotent
from common.api.permissions import IsStaff
from common.api.serializers import StrictSerializer
from common.api.views import ApiView
from common.errors import InvalidTransition
from payments.intake import selectors as intake
from payments.intake.api import payment_body
from payments.intake.serializers import PaymentOut
from payments.stripe import selectors, services
from payments.stripe.errors import (
    CardDeclined,
    ConfirmationInProgress,
    ConfirmationRefused,
    PaymentExpired,
)
from payments.stripe.serializers import (
    ConfirmIn,
    EventQuery,
    WebhookEventDetailOut,
    WebhookEventOut,
)


def _body(request: Request, uid: str) -> Any:
    return payment_body(intake.payment_of(principal(request).pk, uid))


class ConfirmPayment(ApiView):
    @operation(
        "Try a card on the server",
        answers={202: PaymentOut},
        refusals=(
            ConfirmationRefused,
            CardDeclined,
            ConfirmationInProgress,
            PaymentExpired,
            InvalidTransition,
        ),
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


def _event(_: Request, event_id: str) -> Any:
    return WebhookEventDetailOut(selectors.event_by_stripe_id(event_id)).data


class StaffEventList(ApiView):
    permission_classes = [IsStaff]

    @operation(
        "Stripe's events, newest first: what became of each, and why",
        operation_id="admin_webhook_events_list",
        answers={200: cursor_of(WebhookEventOut)},
        parameters=(EventQuery,),
        tags=["staff: payments"],
    )
    def get(self, request: Request) -> Response:
        query = self.query(request, EventQuery)
        events = selectors.events(state=query.get("state"), kind=query.get("kind"))
        return self.cursor(events, WebhookEventOut)


class StaffEventDetail(ApiView):
    permission_classes = [IsStaff]

    @operation(
        "One of Stripe's events",
        answers={200: WebhookEventDetailOut},
        tags=["staff: payments"],
    )
    def get(self, request: Request, event_id: str) -> Response:
        return Response(_event(request, event_id))


class StaffEventReplay(ApiView):
    permission_classes = [IsStaff]

    @operation(
        "Process an event again, whatever became of it",
        answers={202: WebhookEventDetailOut},
        keyed=True,
        request=None,
        tags=["staff: payments"],
    )
    @idempotent(_event)
    def post(self, request: Request, event_id: str) -> Response:
        self.body(request, StrictSerializer)
        services.webhook_replay(event_id=event_id, actor_id=principal(request).pk)
        return Response(_event(request, event_id), status=202)


@csrf_exempt
@require_POST
def webhook(request: HttpRequest) -> HttpResponse:
    """Stripe's events: 200 once stored, 400 for a signature that does not verify, 503 when busy."""
    try:
        services.webhook_receive(
            payload=request.body, signature=request.headers.get("Stripe-Signature", "")
        )
    except Exception as error:
        known = problems.translate(error)
        if known is None:
            raise
        return problems.plain(known, request)
    return HttpResponse(status=200)
