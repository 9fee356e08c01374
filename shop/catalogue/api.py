"""Catalogue over HTTP: what anybody may read, and what staff may write."""

from typing import Any, Final, cast

from rest_framework import status
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.sessions.authentication import principal
from common.api.conditional import Revalidated, shelved
from common.api.docs import cursor_of, operation, page_of
from common.api.idempotent import idempotent
from common.api.permissions import IsStaff
from common.api.serializers import CursorQuery
from common.api.views import ApiView
from common.errors import NotFound
from common.replicas import may_lag
from shop import ports
from shop.catalogue import selectors, services
from shop.catalogue.errors import (
    NoSuchCategory,
    NotAPicture,
    PictureTooLarge,
    SkuTaken,
    SlugTaken,
    TooManyPixels,
    UnknownToken,
    WindowReversed,
)
from shop.catalogue.serializers import (
    CategoryOut,
    CategoryQuery,
    ImageBody,
    PriceChangeOut,
    ProductBody,
    ProductDetailOut,
    ProductOut,
    ProductPatch,
    ProductQuery,
    StaffProductOut,
    StaffProductQuery,
    TokenQuery,
    quote_shown,
)

PUBLIC: Final = ["catalogue"]
STAFF: Final = ["staff: catalogue"]
# What a field that PUT leaves out goes back to; the slug stays, it is the address.
_UNSET: Final[dict[str, Any]] = {
    "category": None,
    "discount_percent": 0,
    "discount_starts_at": None,
    "discount_ends_at": None,
    "discount_members_only": False,
}


class PublicView(Revalidated, ApiView):
    permission_classes = [AllowAny]

    def viewer(self, token: str | None) -> dict[str, Any]:
        """What the answer depends on besides the product: who asks, and the rate of `token`."""
        found = {"request": self.request, "member": self.request.user.is_authenticated}
        return found | (_token(token) if token else {})


def _token(token: str) -> dict[str, Any]:
    try:
        quote = ports.token_quote(token=token, currency="USD")
    except ports.TokenPriceUnavailable as error:
        return {"quote": None, "quote_error": error.reason}
    return {"quote": quote, "quote_shown": quote_shown(quote)}


class Products(PublicView):
    @operation(
        "Products on sale",
        operation_id="products_list",
        answers={200: page_of(ProductOut)},
        refusals=(NotFound, NoSuchCategory, UnknownToken),
        parameters=(ProductQuery,),
        tags=PUBLIC,
        revalidated=True,
    )
    @shelved
    @may_lag
    def get(self, request: Request) -> Response:
        query = self.query(request, ProductQuery)
        viewer = self.viewer(query.pop("token", None))
        rows = selectors.product_list(member=viewer["member"], wanted=_filter(query))
        return self.pages(rows, ProductOut, **viewer)


def _filter(query: dict[str, Any]) -> selectors.ProductFilter:
    names = selectors.ProductFilter.__dataclass_fields__
    return selectors.ProductFilter(**{k: v for k, v in query.items() if k in names})


class ProductDetail(PublicView):
    @operation(
        "One product",
        operation_id="products_detail",
        answers={200: ProductDetailOut},
        refusals=(UnknownToken,),
        parameters=(TokenQuery,),
        tags=PUBLIC,
        revalidated=True,
    )
    @shelved
    @may_lag
    def get(self, request: Request, slug: str) -> Response:
        viewer = self.viewer(self.query(request, TokenQuery).get("token"))
        product = selectors.product_get(slug)
        lowest = selectors.lowest_price_30d(product)
        return Response(ProductDetailOut(product, context=viewer | {"lowest": lowest}).data)


class Categories(PublicView):
    @operation(
        "Categories",
        operation_id="categories_list",
        answers={200: page_of(CategoryOut)},
        refusals=(NotFound,),
        parameters=(CategoryQuery,),
        tags=PUBLIC,
        revalidated=True,
    )
    @shelved
    @may_lag
    def get(self, request: Request) -> Response:
        query = self.query(request, CategoryQuery)
        return self.pages(selectors.category_list(search=query.get("search", "")), CategoryOut)


class StaffView(ApiView):
    permission_classes = [IsStaff]

    def product(self, slug: str) -> dict[str, Any]:
        product = selectors.staff_product_get(slug)
        return StaffProductOut(product, context={"request": self.request}).data


def _product_again(request: Request, ref: str) -> dict[str, Any]:
    product = selectors.product_by_uid(ref)
    return StaffProductOut(product, context={"request": request}).data


class StaffProducts(StaffView):
    @operation(
        "All products, archived ones included",
        operation_id="admin_products_list",
        answers={200: page_of(StaffProductOut)},
        refusals=(NotFound, NoSuchCategory),
        parameters=(StaffProductQuery,),
        tags=STAFF,
    )
    def get(self, request: Request) -> Response:
        query = self.query(request, StaffProductQuery)
        rows = selectors.staff_product_list(
            search=query.get("search", ""),
            category=query.get("category"),
            archived=query.get("archived"),
            ordering=query.get("ordering", ("name",)),
        )
        return self.pages(rows, StaffProductOut, request=request)

    @operation(
        "Add a product",
        operation_id="admin_products_create",
        request=ProductBody,
        answers={201: StaffProductOut},
        refusals=(NoSuchCategory, WindowReversed, SlugTaken, SkuTaken),
        keyed=True,
        tags=STAFF,
    )
    @idempotent(_product_again)
    def post(self, request: Request) -> Response:
        draft = cast(services.Draft, self.body(request, ProductBody))
        product = services.product_create(draft=draft, actor_id=principal(request).pk)
        return Response(self.product(product.slug), status=status.HTTP_201_CREATED)


class StaffProduct(StaffView):
    @operation(
        "One product, archived or not",
        operation_id="admin_products_detail",
        answers={200: StaffProductOut},
        tags=STAFF,
    )
    def get(self, request: Request, slug: str) -> Response:
        return Response(self.product(slug))

    @operation(
        "Replace a product's fields",
        operation_id="admin_products_replace",
        request=ProductBody,
        answers={200: StaffProductOut},
        refusals=(NoSuchCategory, WindowReversed, SlugTaken, SkuTaken),
        tags=STAFF,
    )
    def put(self, request: Request, slug: str) -> Response:
        return self._update(request, slug, _UNSET | self.body(request, ProductBody))

    @operation(
        "Change some of a product's fields",
        operation_id="admin_products_change",
        request=ProductBody,
        answers={200: StaffProductOut},
        refusals=(NoSuchCategory, WindowReversed, SlugTaken, SkuTaken),
        tags=STAFF,
    )
    def patch(self, request: Request, slug: str) -> Response:
        return self._update(request, slug, self.body(request, ProductPatch))

    @operation(
        "Archive a product",
        operation_id="admin_products_archive",
        answers={204: None},
        tags=STAFF,
    )
    def delete(self, request: Request, slug: str) -> Response:
        services.product_archive(slug=slug, actor_id=principal(request).pk)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _update(self, request: Request, slug: str, changes: dict[str, Any]) -> Response:
        product = services.product_update(
            slug=slug,
            changes=cast(services.Changes, changes),
            actor_id=principal(request).pk,
        )
        return Response(self.product(product.slug))


class PriceHistory(StaffView):
    @operation(
        "Every change of a product's price and discount, newest first",
        operation_id="admin_products_price_history",
        answers={200: cursor_of(PriceChangeOut)},
        parameters=(CursorQuery,),
        tags=STAFF,
    )
    def get(self, request: Request, slug: str) -> Response:
        self.query(request, CursorQuery)
        return self.cursor(selectors.price_history(slug), PriceChangeOut)


class ProductImage(StaffView):
    parser_classes = [MultiPartParser]

    @operation(
        "Set a product's picture (PNG, JPEG or WebP up to 5 MiB)",
        operation_id="admin_products_image",
        request={"multipart/form-data": ImageBody},
        answers={200: StaffProductOut},
        refusals=(NotAPicture, TooManyPixels, PictureTooLarge),
        tags=STAFF,
    )
    def post(self, request: Request, slug: str) -> Response:
        upload = self.body(request, ImageBody)["image"]
        services.product_set_image(
            slug=slug, upload=upload, size=upload.size, actor_id=principal(request).pk
        )
        return Response(self.product(slug))
