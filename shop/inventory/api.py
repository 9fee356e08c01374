"""Stock, for staff."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.sessions.authentication import principal
from common.api.docs import cursor_of, operation
from common.api.idempotent import idempotent
from common.api.permissions import IsStaff
from common.api.serializers import CursorQuery
from common.api.views import ApiView
from shop.inventory import selectors, services
from shop.inventory.errors import StockBelowHeld
from shop.inventory.serializers import MovementOut, StockIn, StockOut


def _body(_: Request, ref: str) -> Any:
    return StockOut(selectors.stock_change(ref)).data


class ProductStock(ApiView):
    permission_classes = [IsStaff]

    @operation(
        "The movements of a product's stock, newest first",
        answers={200: cursor_of(MovementOut)},
        parameters=(CursorQuery,),
        tags=["staff: catalogue"],
    )
    def get(self, request: Request, slug: str) -> Response:
        self.query(request, CursorQuery)
        return self.cursor(selectors.movements(selectors.stock_by_slug(slug)), MovementOut)

    @operation(
        "Receive, correct or count stock",
        answers={201: StockOut, 200: StockOut},
        refusals=(StockBelowHeld,),
        keyed=True,
        request=StockIn,
        tags=["staff: catalogue"],
    )
    @idempotent(_body)
    def post(self, request: Request, slug: str) -> Response:
        body = self.body(request, StockIn)
        stock = selectors.stock_by_slug(slug)
        movement = services.stock_adjust(
            product_id=stock.pk,
            delta=body.get("delta"),
            to=body.get("set"),
            reason=body["reason"],
            actor_id=principal(request).pk,
        )
        ref = f"movement:{movement.pk}" if movement else f"stock:{stock.pk}"
        return Response(_body(request, ref), status=201 if movement else 200)
