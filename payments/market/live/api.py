"""The stream's route in a WSGI process: to the process that serves streams, or a few from here."""

from typing import Any, Final

from django.conf import settings
from django.http import StreamingHttpResponse
from drf_spectacular.utils import OpenApiResponse
from rest_framework.permissions import AllowAny
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from common.addresses import bucket, client_address
from common.api.docs import operation
from common.api.views import ApiView
from common.errors import Busy
from payments.market.errors import InvalidCoin
from payments.market.live import inline
from payments.market.live.hub import channel
from payments.market.serializers import StreamQuery
from shop.flash_sales.live.api import ELSEWHERE, LAST_EVENT_ID, ForStreams, elsewhere, last_id

STREAM: Final = OpenApiResponse(
    str,
    description=(
        'Server-sent events: `price` with `{"prices": [{"coin", "price", "change_24h", "source", '
        '"as_of"}]}`, all that were asked for, at once and whenever one of them is new; each with '
        "an `id` above all before it; comments in between."
    ),
)


class PriceStream(ApiView):
    permission_classes = [AllowAny]
    renderer_classes = [JSONRenderer, ForStreams]

    @operation(
        "Prices as they change",
        operation_id="market_stream",
        answers={(200, "text/event-stream"): STREAM, 307: ELSEWHERE},
        refusals=(InvalidCoin, Busy),
        parameters=(StreamQuery, LAST_EVENT_ID),
        tags=["market"],
    )
    def get(self, request: Request) -> Any:
        query = self.query(request, StreamQuery)
        if settings.STREAM_URL:
            return elsewhere(request)
        address = bucket(client_address(request))
        made = inline.events(
            channel(query), address=address, last_id=last_id(request), most=query.get("events")
        )
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingHttpResponse(made, content_type="text/event-stream", headers=headers)
