"""The waiting room over HTTP."""

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.sessions.authentication import principal
from common.api.docs import operation
from common.api.serializers import StrictSerializer
from common.api.views import ApiView
from shop.flash_sales.errors import SaleEnded
from shop.flash_sales.waiting import services
from shop.flash_sales.waiting.errors import InvalidTicket, NotQueued
from shop.flash_sales.waiting.serializers import PlaceOut, TicketQuery


class SaleQueue(ApiView):
    @operation(
        "Take a place in the waiting room of the open or coming run, or see the one there is",
        operation_id="flash_sales_queue_join",
        answers={200: PlaceOut},
        refusals=(SaleEnded,),
        request=None,
        tags=["flash sales"],
    )
    def post(self, request: Request, slug: str) -> Response:
        self.body(request, StrictSerializer)
        place = services.place_take(slug=slug, user_id=principal(request).pk)
        return Response(place.body())

    @operation(
        "The caller's place in the waiting room",
        operation_id="flash_sales_queue",
        answers={200: PlaceOut},
        refusals=(SaleEnded, NotQueued, InvalidTicket),
        parameters=(TicketQuery,),
        tags=["flash sales"],
    )
    def get(self, request: Request, slug: str) -> Response:
        query, user_id = self.query(request, TicketQuery), principal(request).pk
        place = services.place_get(slug=slug, user_id=user_id, ticket=query.get("ticket"))
        return Response(place.body())
