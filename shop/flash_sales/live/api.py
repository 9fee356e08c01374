"""The stream's route in a WSGI process: to the process that serves streams, or a few from here."""

from typing import Any, Final
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpResponse, StreamingHttpResponse
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework.permissions import AllowAny
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from common.addresses import bucket, client_address
from common.api.docs import operation
from common.api.views import ApiView
from common.errors import Busy
from shop.flash_sales.errors import NoSuchRun
from shop.flash_sales.live import inline
from shop.flash_sales.serializers import StreamQuery
from shop.flash_sales.waiting.errors import InvalidTicket

LAST_EVENT_ID: Final = OpenApiParameter(
    "Last-Event-ID",
    {"type": "string", "maxLength": 16, "pattern": r"^\d+$"},
    OpenApiParameter.HEADER,
    description="The `id` of the last event that was seen; a browser sends it by itself.",
)
STREAM: Final = OpenApiResponse(
    str,
    description=(
        "Server-sent events: `stock` with the body of `stock/`, at once and at every change, ten a "
        "second at most, each with an `id` above all before it; with a ticket `position` with the "
        "body of `queue/`, once a second at most; comments in between."
    ),
)
ELSEWHERE: Final = OpenApiResponse(description="Where the streams are served: `Location`.")


class ForStreams(JSONRenderer):
    """Lets `Accept: text/event-stream` through; what is rendered is a refusal, hence JSON."""

    media_type = "text/event-stream"


class StockStream(ApiView):
    permission_classes = [AllowAny]
    renderer_classes = [JSONRenderer, ForStreams]

    @operation(
        "The units of a sale's current run, as they change",
        operation_id="flash_sales_stream",
        answers={(200, "text/event-stream"): STREAM, 307: ELSEWHERE},
        refusals=(NoSuchRun, InvalidTicket, Busy),
        parameters=(StreamQuery, LAST_EVENT_ID),
        tags=["flash sales"],
    )
    def get(self, request: Request, slug: str) -> Any:
        query = self.query(request, StreamQuery)
        if settings.STREAM_URL:
            return elsewhere(request)
        asked = inline.Asked(last_id(request), query.get("events"), query.get("ticket"))
        made = inline.events(slug, address=bucket(client_address(request)), asked=asked)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingHttpResponse(made, content_type="text/event-stream", headers=headers)


def elsewhere(request: Request) -> HttpResponse:
    query = f"?{urlencode(request.query_params.dict())}" if request.query_params else ""
    location = f"{settings.STREAM_URL.rstrip('/')}{request.path}{query}"
    return HttpResponse(status=307, headers={"Location": location})


def last_id(request: Request) -> int | None:
    text = request.headers.get("Last-Event-ID", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 17 else None
