"""Coins for sale, the caller's orders for them, and the batches for staff."""

from typing import Any, Final
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.ledger.errors import InsufficientFunds
from accounts.sessions.authentication import principal
from common.api.docs import cursor_of, operation, page_of
from common.api.idempotent import idempotent
from common.api.permissions import IsStaff
from common.api.serializers import PageQuery, StrictSerializer
from common.api.views import ApiView
from common.errors import InvalidTransition, NotFound
from payments.exchange import selectors, services
from payments.exchange.errors import (
    AboveLimit,
    ExchangeClosed,
    OutcomeUnknown,
    TooManyDecimals,
    UnknownCurrency,
    VenueUnreachable,
)
from payments.exchange.serializers import (
    BatchDetailOut,
    BatchOut,
    BatchQuery,
    ExchangeCurrencyOut,
    ExchangeOrderIn,
    ExchangeOrderOut,
    ExchangeOrderQuery,
)
from payments.market.errors import RateUnavailable

TAGS: Final = ["exchange"]
STAFF_TAGS: Final = ["staff: exchange"]


def _own_order(request: Request, uid: str) -> Any:
    return ExchangeOrderOut(selectors.order_of(principal(request).pk, uid)).data


def _batch(_: Request, uid: str) -> Any:
    return BatchDetailOut(selectors.batch_by_uid(uid)).data


class Currencies(ApiView):
    @operation(
        "Coins for sale, and what they cost",
        operation_id="exchange_currencies_list",
        answers={200: page_of(ExchangeCurrencyOut)},
        refusals=(NotFound,),
        parameters=(PageQuery,),
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        self.query(request, PageQuery)
        return self.pages(selectors.currencies(), ExchangeCurrencyOut)


class Orders(ApiView):
    @operation(
        "The caller's exchange orders, newest first",
        operation_id="exchange_orders_list",
        answers={200: cursor_of(ExchangeOrderOut)},
        parameters=(ExchangeOrderQuery,),
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        query = self.query(request, ExchangeOrderQuery)
        found = selectors.orders_of(
            principal(request).pk, status=query.get("status"), currency=query.get("currency")
        )
        return self.cursor(found, ExchangeOrderOut)

    @operation(
        "Buy coins with the wallet's money",
        operation_id="exchange_orders_create",
        answers={201: ExchangeOrderOut},
        refusals=(
            UnknownCurrency,
            TooManyDecimals,
            AboveLimit,
            InsufficientFunds,
            ExchangeClosed,
            RateUnavailable,
        ),
        keyed=True,
        request=ExchangeOrderIn,
        tags=TAGS,
    )
    @idempotent(_own_order)
    def post(self, request: Request) -> Response:
        body = self.body(request, ExchangeOrderIn)
        order = services.order_place(
            user_id=principal(request).pk, symbol=body["currency"], amount=body["amount"]
        )
        return Response(ExchangeOrderOut(order).data, status=201)


class Order(ApiView):
    @operation("One exchange order", answers={200: ExchangeOrderOut}, tags=TAGS)
    def get(self, request: Request, uid: UUID) -> Response:
        return Response(_own_order(request, str(uid)))


class CancelOrder(ApiView):
    @operation(
        "Cancel an order that waits for its batch",
        answers={200: ExchangeOrderOut},
        refusals=(InvalidTransition,),
        keyed=True,
        request=None,
        tags=TAGS,
    )
    @idempotent(_own_order)
    def post(self, request: Request, uid: UUID) -> Response:
        self.body(request, StrictSerializer)
        found = selectors.order_of(principal(request).pk, str(uid))
        services.order_cancel(order_id=found.pk)
        return Response(_own_order(request, str(uid)))


class Batches(ApiView):
    permission_classes = [IsStaff]

    @operation(
        "Batches of exchange orders, newest first",
        operation_id="admin_exchange_batches_list",
        answers={200: cursor_of(BatchOut)},
        parameters=(BatchQuery,),
        tags=STAFF_TAGS,
    )
    def get(self, request: Request) -> Response:
        query = self.query(request, BatchQuery)
        found = selectors.batches(state=query.get("state"), currency=query.get("currency"))
        return self.cursor(found, BatchOut)


class Batch(ApiView):
    permission_classes = [IsStaff]

    @operation(
        "A batch with its members, and what the venue was asked and answered",
        operation_id="admin_exchange_batches_retrieve",
        answers={200: BatchDetailOut},
        tags=STAFF_TAGS,
    )
    def get(self, request: Request, uid: UUID) -> Response:
        return Response(_batch(request, str(uid)))


class RetryBatch(ApiView):
    permission_classes = [IsStaff]

    @operation(
        "Have a worker see to a batch now",
        answers={202: BatchDetailOut},
        refusals=(InvalidTransition,),
        keyed=True,
        request=None,
        tags=STAFF_TAGS,
    )
    @idempotent(_batch)
    def post(self, request: Request, uid: UUID) -> Response:
        self.body(request, StrictSerializer)
        batch_id = selectors.batch_by_uid(str(uid)).pk
        services.batch_retry(batch_id=batch_id, actor_id=principal(request).pk)
        return Response(_batch(request, str(uid)), status=202)


class GiveBackBatch(ApiView):
    permission_classes = [IsStaff]

    @operation(
        "Give all members of a batch their money back, where nothing was bought",
        answers={200: BatchDetailOut},
        refusals=(InvalidTransition, OutcomeUnknown),
        keyed=True,
        request=None,
        tags=STAFF_TAGS,
    )
    @idempotent(_batch)
    def post(self, request: Request, uid: UUID) -> Response:
        self.body(request, StrictSerializer)
        batch_id = selectors.batch_by_uid(str(uid)).pk
        services.batch_give_back(batch_id=batch_id, actor_id=principal(request).pk)
        return Response(_batch(request, str(uid)))


class ReconcileBatch(ApiView):
    permission_classes = [IsStaff]

    @operation(
        "Ask the venue what became of a batch, and write it down; nothing is sent again",
        answers={200: BatchDetailOut},
        refusals=(InvalidTransition, VenueUnreachable),
        keyed=True,
        request=None,
        tags=STAFF_TAGS,
    )
    @idempotent(_batch)
    def post(self, request: Request, uid: UUID) -> Response:
        self.body(request, StrictSerializer)
        batch_id = selectors.batch_by_uid(str(uid)).pk
        services.batch_reconcile(batch_id=batch_id, actor_id=principal(request).pk)
        return Response(_batch(request, str(uid)))
