"""What the shop is measured against: nothing at all, and the way most Django shops write it."""

from typing import Any, ClassVar

from django.contrib.auth.hashers import check_password, make_password
from rest_framework import generics, pagination, serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.sessions.authentication import principal
from benchmarks.shop import plain
from common.api.views import ApiView
from payments.checkout.serializers import FlashPurchaseIn
from shop.catalogue.models import Product

_HASHED = make_password("a password")


class Empty(ApiView):
    def get(self, request: Request) -> Response:
        return Response({})

    def post(self, request: Request) -> Response:
        return Response({})


class PlainPurchases(ApiView):
    def post(self, request: Request, slug: str) -> Response:
        body: dict[str, Any] = self.body(request, FlashPurchaseIn)
        bought = plain.purchase(principal(request).pk, slug, body["quantity"])
        return Response(bought, status=201)


class PlainOrders(ApiView):
    def post(self, request: Request, slug: str) -> Response:
        return Response(plain.order(principal(request).pk, slug), status=201)


class PlainProductOut(serializers.ModelSerializer[Product]):
    """Each product asks for its category and its stock by queries of its own."""

    category = serializers.CharField(source="category.name", default=None)
    available = serializers.IntegerField(source="stock.available")

    class Meta:
        model = Product
        fields: ClassVar = [
            *("uid", "slug", "sku", "name", "description", "category", "image", "currency"),
            *("list_price", "discount_percent", "available"),
        ]


class PageOf20(pagination.PageNumberPagination):
    page_size = 20


class PlainProducts(generics.ListAPIView[Product]):
    permission_classes: ClassVar = [AllowAny]
    queryset = Product.objects.filter(archived_at=None, stock__isnull=False).order_by("name")
    serializer_class = PlainProductOut
    pagination_class = PageOf20


class Password(ApiView):
    """What hashing alone takes of a sign-in."""

    def get(self, request: Request) -> Response:
        return Response({"right": check_password("another password", _HASHED)})
