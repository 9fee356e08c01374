"""Products from a CSV file, for staff."""

import hashlib
from typing import Any

from django.conf import settings
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.sessions.authentication import principal
from common.api.docs import operation
from common.api.idempotent import idempotent
from common.api.permissions import IsStaff
from common.api.views import ApiView
from common.errors import TooLarge
from shop.imports import selectors, services
from shop.imports.errors import ImportRefused
from shop.imports.rules import MAX_BYTES
from shop.imports.serializers import ImportBody, ProductImportOut, sheet_of


def _again(_: Request, ref: str) -> Any:
    return ProductImportOut(selectors.import_by_uid(ref)).data


def _sent(request: Request) -> dict[str, Any]:
    """What a key is compared by: of a file its bytes count, and not its name."""
    found: dict[str, Any] = {}
    for name, value in request.data.items():
        found[name] = str(value)
        if hasattr(value, "chunks"):
            found[name] = hashlib.sha256(value.read()).hexdigest()
            value.seek(0)
    return found


class ImportProducts(ApiView):
    permission_classes = [IsStaff]
    parser_classes = [MultiPartParser]

    @operation(
        "Add and change products by a CSV file, all of its rows or none",
        operation_id="admin_products_import",
        description=(
            "The first row names the columns: `sku` or `slug` says which product a row is, the "
            "others are the fields of a product, and `on_hand` (counted) or `stock_delta`. A "
            "product that is not there is added. Each of `errors` has `row` and `column`."
        ),
        request={"multipart/form-data": ImportBody},
        answers={201: ProductImportOut, 200: ProductImportOut},
        refusals=(ImportRefused,),
        keyed=True,
        tags=["staff: catalogue"],
    )
    @idempotent(_again, sent=_sent)
    def post(self, request: Request) -> Response:
        body = self.body(request, ImportBody)
        upload, dry_run = body["file"], body["dry_run"]
        if upload.size > MAX_BYTES:
            raise TooLarge(f"A file may have up to {MAX_BYTES:,} bytes.")
        content = upload.read()
        made = services.products_import(
            sheet=sheet_of(content, most=settings.PRODUCT_IMPORT_MAX_ROWS),
            file=services.File(upload.name, content),
            dry_run=dry_run,
            actor_id=principal(request).pk,
        )
        return Response(ProductImportOut(made).data, status=200 if dry_run else 201)
