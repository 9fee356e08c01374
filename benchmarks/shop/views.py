"""What a purchase is measured against: nothing at all, and the way most Django shops write it."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.sessions.authentication import principal
from benchmarks.shop import plain
from common.api.views import ApiView
from payments.checkout.serializers import FlashPurchaseIn


class Empty(ApiView):
    def post(self, request: Request) -> Response:
        return Response({})


class PlainPurchases(ApiView):
    def post(self, request: Request, slug: str) -> Response:
        body: dict[str, Any] = self.body(request, FlashPurchaseIn)
        bought = plain.purchase(principal(request).pk, slug, body["quantity"])
        return Response(bought, status=201)
