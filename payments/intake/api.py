"""Payments of the caller, and refunds by staff."""

from typing import Any
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.ledger.errors import InsufficientFunds
from accounts.sessions.authentication import principal
from common.api.docs import cursor_of, operation
from common.api.idempotent import idempotent
from common.api.permissions import IsStaff
from common.api.serializers import CursorQuery
from common.api.views import ApiView
from common.errors import InvalidTransition
from payments.intake import selectors, services
from payments.intake.errors import (
    AddressInvalid,
    DestinationInvalid,
    NotUsable,
    RefundExceedsCaptured,
    RefundLinesInvalid,
)
from payments.intake.rules import Destination, Resolution
from payments.intake.serializers import (
    PaymentOut,
    PaymentQuery,
    RefundIn,
    RefundOut,
    ResolveIn,
)
from shop.orders.rules import sum_quantities


def payment_body(payment: Any) -> Any:
    details = selectors.describe([payment])
    return PaymentOut(payment, context={"details": details}).data


def _refund_body(_: Request, uid: str) -> Any:
    return RefundOut(selectors.refund_by_uid(uid)).data


class PaymentList(ApiView):
    @operation(
        "The caller's payments, newest first",
        operation_id="payments_list",
        answers={200: cursor_of(PaymentOut)},
        parameters=(CursorQuery,),
        tags=["payments"],
    )
    def get(self, request: Request) -> Response:
        self.query(request, CursorQuery)
        return self.cursor(
            selectors.payments_of(principal(request).pk), PaymentOut, with_page=_details
        )


def _details(page: list[Any]) -> dict[str, Any]:
    return {"details": selectors.describe(page)}


class PaymentDetail(ApiView):
    @operation("One payment", answers={200: PaymentOut}, tags=["payments"])
    def get(self, request: Request, uid: UUID) -> Response:
        return Response(payment_body(selectors.payment_of(principal(request).pk, str(uid))))


class StaffPaymentList(ApiView):
    permission_classes = [IsStaff]

    @operation(
        "All payments, newest first",
        operation_id="admin_payments_list",
        answers={200: cursor_of(PaymentOut)},
        parameters=(PaymentQuery,),
        tags=["staff: payments"],
    )
    def get(self, request: Request) -> Response:
        query = self.query(request, PaymentQuery)
        payments = selectors.payments_all(status=query.get("status"), method=query.get("method"))
        return self.cursor(payments, PaymentOut, with_page=_details)


class StaffPaymentDetail(ApiView):
    permission_classes = [IsStaff]

    @operation("Any payment", answers={200: PaymentOut}, tags=["staff: payments"])
    def get(self, request: Request, uid: UUID) -> Response:
        return Response(payment_body(selectors.payment_by_uid(str(uid))))


class StaffRefunds(ApiView):
    permission_classes = [IsStaff]

    @operation(
        "Refund a payment: an amount, lines, or all that is left",
        answers={201: RefundOut},
        refusals=(
            RefundLinesInvalid,
            DestinationInvalid,
            AddressInvalid,
            RefundExceedsCaptured,
            InvalidTransition,
            InsufficientFunds,
        ),
        keyed=True,
        request=RefundIn,
        tags=["staff: payments"],
    )
    @idempotent(_refund_body)
    def post(self, request: Request, uid: UUID) -> Response:
        body = self.body(request, RefundIn)
        chosen = [(line["product"], line["quantity"]) for line in body.get("lines", ())]
        refund = services.refund_request(
            payment_id=selectors.payment_by_uid(str(uid)).pk,
            amount=body.get("amount"),
            lines=sum_quantities(chosen),
            restock=body["restock"],
            destination=Destination(body["destination"]),
            to_address=body.get("to_address", ""),
            reason=body["reason"],
            actor_id=principal(request).pk,
        )
        return Response(_refund_body(request, str(refund.uid)), status=201)


def _any_payment(_: Request, uid: str) -> Any:
    return payment_body(selectors.payment_by_uid(uid))


class StaffResolve(ApiView):
    permission_classes = [IsStaff]

    @operation(
        "End a payment's review: take the money for its order, or give it back",
        answers={200: PaymentOut},
        refusals=(
            DestinationInvalid,
            AddressInvalid,
            NotUsable,
            InvalidTransition,
            RefundExceedsCaptured,
        ),
        keyed=True,
        request=ResolveIn,
        tags=["staff: payments"],
    )
    @idempotent(_any_payment)
    def post(self, request: Request, uid: UUID) -> Response:
        body = self.body(request, ResolveIn)
        payment = services.payment_resolve(
            payment_id=selectors.payment_by_uid(str(uid)).pk,
            resolution=Resolution(body["resolution"]),
            destination=Destination(body["destination"]),
            to_address=body.get("to_address", ""),
            note=body["note"],
            actor_id=principal(request).pk,
        )
        return Response(_any_payment(request, str(payment.uid)))
