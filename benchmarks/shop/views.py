"""What the shop is measured against: nothing at all, and the way most Django shops write it."""

from typing import Any, ClassVar

from django.contrib.auth.hashers import check_password, make_password
from django.db.models import Count
from rest_framework import generics, serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.sessions.authentication import principal
from benchmarks.shop import plain
from benchmarks.shop.reads import PageOf20
from common.api.views import ApiView
from payments.checkout.serializers import FlashPurchaseIn
from shop.catalogue.models import Product
from shop.flash_sales.models import FlashUnit

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


class PlainStock(ApiView):
    """Units are counted for everybody who looks."""

    def get(self, request: Request, slug: str) -> Response:
        units = FlashUnit.objects.filter(run__sale__slug=slug, run__ended_at=None)
        states = units.order_by().values_list("state").annotate(Count("pk"))
        return Response({"units": dict(states)})


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


class PlainProducts(generics.ListAPIView[Product]):
    permission_classes: ClassVar = [AllowAny]
    queryset = Product.objects.filter(archived_at=None, stock__isnull=False).order_by("name")
    serializer_class = PlainProductOut
    pagination_class = PageOf20


class Password(ApiView):
    """What hashing alone takes of a sign-in."""

    def get(self, request: Request) -> Response:
        return Response({"right": check_password("another password", _HASHED)})
