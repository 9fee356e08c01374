"""Orders with their payments."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.ledger.errors import InsufficientFunds
from accounts.sessions.authentication import principal
from common.addresses import client_address
from common.api.docs import cursor_of, operation
from common.api.idempotent import idempotent
from common.api.permissions import IsStaff
from common.api.serializers import StrictSerializer
from common.api.views import ApiView
from common.errors import InvalidTransition
from common.replicas import may_lag
from payments.checkout import selectors, services
from payments.checkout.serializers import (
    DepositIn,
    FlashPurchaseIn,
    FlashPurchaseOut,
    OrderIn,
    OrderWithPaymentOut,
    PayIn,
    SummaryOut,
    bought_body,
    placed_body,
)
from payments.crypto.errors import AddressRefused
from payments.intake import selectors as intake
from payments.intake.api import payment_body
from payments.intake.errors import MethodUnavailable
from payments.intake.rules import Method
from payments.intake.serializers import PaymentOut
from payments.market.errors import RateUnavailable
from payments.risk.errors import NewAccountLimit, TooManyFromAddress, TooManyPurchases
from payments.risk.services import purchase_screened
from shop.catalogue.errors import UnknownToken
from shop.flash_sales import selectors as flash_sales
from shop.flash_sales.errors import (
    OrderLimitExceeded,
    SaleEnded,
    SaleNotStarted,
    SoldOut,
    UserLimitReached,
)
from shop.flash_sales.waiting.errors import NotAdmitted
from shop.inventory.errors import OutOfStock
from shop.orders import selectors as orders
from shop.orders import services as order_services
from shop.orders.errors import PriceChanged, TotalTooLarge, UnknownProducts
from shop.orders.rules import sum_quantities
from shop.orders.serializers import OrderQuery, StaffOrderQuery

# Of payments with coins.
COINS = (UnknownToken, AddressRefused, RateUnavailable)


def _order_body(order: Any) -> Any:
    return OrderWithPaymentOut(order, context={"joined": selectors.join([order])}).data


def _own_order(request: Request, number: str) -> Any:
    return _order_body(orders.order_of(principal(request).pk, number))


def _any_order(_: Request, number: str) -> Any:
    return _order_body(orders.order_by_number(number))


def _own_flash_purchase(request: Request, number: str) -> Any:
    purchase = flash_sales.purchase_of(principal(request).pk, number)
    joined = selectors.join([purchase.order])
    return FlashPurchaseOut(purchase, context={"joined": joined}).data


def _placed(request: Request, placed: services.Placed) -> Any:
    if placed.payment.method == Method.WALLET:
        return placed_body(placed)
    # The provider was asked after the commit, and what the client needs to pay is its answer.
    return _own_order(request, placed.order.number)


def _bought(request: Request, bought: services.FlashPlaced) -> Any:
    if bought.placed.payment.method == Method.WALLET:
        return bought_body(bought)
    return _own_flash_purchase(request, bought.placed.order.number)


def _own_payment(request: Request, uid: str) -> Any:
    return payment_body(intake.payment_of(principal(request).pk, uid))


def _joined(page: list[Any]) -> dict[str, Any]:
    return {"joined": selectors.join(page)}


class OrderList(ApiView):
    @operation(
        "The caller's orders, newest first",
        operation_id="orders_list",
        answers={200: cursor_of(OrderWithPaymentOut)},
        parameters=(OrderQuery,),
        tags=["orders"],
    )
    def get(self, request: Request) -> Response:
        query = self.query(request, OrderQuery)
        found = orders.orders_of(principal(request).pk, status=query.get("status"))
        return self.cursor(found, OrderWithPaymentOut, with_page=_joined)

    @operation(
        "Place an order and open its payment",
        answers={201: OrderWithPaymentOut},
        refusals=(
            UnknownProducts,
            TotalTooLarge,
            MethodUnavailable,
            OutOfStock,
            PriceChanged,
            InsufficientFunds,
            *COINS,
        ),
        keyed=True,
        request=OrderIn,
        tags=["orders"],
    )
    @idempotent(_own_order)
    def post(self, request: Request) -> Response:
        body = self.body(request, OrderIn)
        lines = [(line["product"], line["quantity"]) for line in body["lines"]]
        placed = services.order_place(
            user_id=principal(request).pk,
            quantities=sum_quantities(lines),
            expected_total=body.get("expected_total"),
            **body["payment"],
        )
        return Response(_placed(request, placed), status=201)


class OrderDetail(ApiView):
    @operation("One order", answers={200: OrderWithPaymentOut}, tags=["orders"])
    def get(self, request: Request, number: str) -> Response:
        return Response(_own_order(request, number))


class CancelOrder(ApiView):
    @operation(
        "Cancel an unpaid order",
        answers={200: OrderWithPaymentOut},
        refusals=(InvalidTransition,),
        keyed=True,
        request=None,
        tags=["orders"],
    )
    @idempotent(_own_order)
    def post(self, request: Request, number: str) -> Response:
        self.body(request, StrictSerializer)
        user_id = principal(request).pk
        services.order_cancel(order_id=orders.order_id(number, user_id=user_id), actor_id=user_id)
        return Response(_own_order(request, number))


class OrderPayments(ApiView):
    @operation(
        "Pay an open order another way",
        answers={201: PaymentOut},
        refusals=(MethodUnavailable, InvalidTransition, InsufficientFunds, *COINS),
        keyed=True,
        request=PayIn,
        tags=["orders"],
    )
    @idempotent(_own_payment)
    def post(self, request: Request, number: str) -> Response:
        body = self.body(request, PayIn)
        order_id = orders.order_id(number, user_id=principal(request).pk)
        payment = services.payment_change(order_id=order_id, **body)
        return Response(_own_payment(request, str(payment.uid)), status=201)


class FlashPurchases(ApiView):
    @operation(
        "Buy units of the run that is open",
        operation_id="flash_sales_purchase",
        answers={201: FlashPurchaseOut},
        refusals=(
            OrderLimitExceeded,
            TotalTooLarge,
            MethodUnavailable,
            NotAdmitted,
            SaleNotStarted,
            SaleEnded,
            SoldOut,
            UserLimitReached,
            InsufficientFunds,
            TooManyPurchases,
            TooManyFromAddress,
            NewAccountLimit,
            *COINS,
        ),
        keyed=True,
        request=FlashPurchaseIn,
        tags=["flash sales"],
    )
    @idempotent(_own_flash_purchase)
    def post(self, request: Request, slug: str) -> Response:
        body, user_id = self.body(request, FlashPurchaseIn), principal(request).pk
        method, address = body["payment"]["method"], client_address(request)
        with purchase_screened(user_id=user_id, address=address, at_once=method == Method.WALLET):
            bought = services.flash_purchase(
                user_id=user_id,
                slug=slug,
                quantity=body["quantity"],
                ticket=body.get("ticket"),
                **body["payment"],
            )
        return Response(_bought(request, bought), status=201)


class Deposits(ApiView):
    @operation(
        "Pay into the caller's wallet",
        answers={201: PaymentOut},
        refusals=(MethodUnavailable, *COINS),
        keyed=True,
        request=DepositIn,
        tags=["wallet"],
    )
    @idempotent(_own_payment)
    def post(self, request: Request) -> Response:
        body = self.body(request, DepositIn)
        payment = services.deposit_open(
            user_id=principal(request).pk,
            amount=body["amount"],
            currency=body["currency"],
            **body["payment"],
        )
        return Response(_own_payment(request, str(payment.uid)), status=201)


class PurchaseSummary(ApiView):
    @operation(
        "All of the caller's purchases in figures",
        answers={200: SummaryOut},
        tags=["purchases"],
    )
    @may_lag
    def get(self, request: Request) -> Response:
        return Response(SummaryOut(selectors.summary(principal(request).pk)).data)


class StaffOrderList(ApiView):
    permission_classes = [IsStaff]

    @operation(
        "All orders, newest first",
        operation_id="admin_orders_list",
        answers={200: cursor_of(OrderWithPaymentOut)},
        parameters=(StaffOrderQuery,),
        tags=["staff: orders"],
    )
    def get(self, request: Request) -> Response:
        query = self.query(request, StaffOrderQuery)
        found = orders.orders_all(status=query.get("status"), fulfilment=query.get("fulfilment"))
        return self.cursor(found, OrderWithPaymentOut, with_page=_joined)


class StaffOrderDetail(ApiView):
    permission_classes = [IsStaff]

    @operation(
        "Any order",
        answers={200: OrderWithPaymentOut},
        tags=["staff: orders"],
    )
    def get(self, request: Request, number: str) -> Response:
        return Response(_any_order(request, number))


class FulfilOrder(ApiView):
    permission_classes = [IsStaff]

    @operation(
        "Mark a paid order as delivered",
        answers={200: OrderWithPaymentOut},
        refusals=(InvalidTransition,),
        keyed=True,
        request=None,
        tags=["staff: orders"],
    )
    @idempotent(_any_order)
    def post(self, request: Request, number: str) -> Response:
        self.body(request, StrictSerializer)
        order_services.order_fulfil(
            order_id=orders.order_id(number), actor_id=principal(request).pk
        )
        return Response(_any_order(request, number))
