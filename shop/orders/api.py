"""What a customer has bought. Orders themselves are served by `payments.checkout`."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.sessions.authentication import principal
from common.api.docs import cursor_of, operation
from common.api.pagination import InMemory
from common.api.serializers import CursorQuery
from common.api.views import ApiView
from common.replicas import may_lag
from shop.catalogue.selectors import product_names
from shop.orders import selectors
from shop.orders.serializers import PurchasedItemOut, PurchaseOut, PurchaseQuery


class Purchases(ApiView):
    @operation(
        "Every line the caller has bought, newest first",
        answers={200: cursor_of(PurchaseOut)},
        parameters=(PurchaseQuery,),
        tags=["purchases"],
    )
    @may_lag
    def get(self, request: Request) -> Response:
        query = self.query(request, PurchaseQuery)
        lines = selectors.purchases(
            principal(request).pk,
            product=query.get("product"),
            since=query.get("from"),
            until=query.get("to"),
        )
        ordering = ("-purchased_at", "-pk")
        return self.cursor(lines, PurchaseOut, ordering=ordering, with_page=_names)


class PurchasedItems(ApiView):
    @operation(
        "The caller's purchases per product",
        answers={200: cursor_of(PurchasedItemOut)},
        parameters=(CursorQuery,),
        tags=["purchases"],
    )
    @may_lag
    def get(self, request: Request) -> Response:
        self.query(request, CursorQuery)
        items = selectors.purchased_items(principal(request).pk)
        return self.cursor(
            InMemory(items),
            PurchasedItemOut,
            ordering=("-last_purchase", "-product_id"),
            with_page=_names,
        )


def _names(page: list[Any]) -> dict[str, Any]:
    return {"names": product_names([row["product_id"] for row in page])}
