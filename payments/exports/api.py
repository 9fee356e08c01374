"""Exports over HTTP, for staff."""

from typing import Any, Final
from uuid import UUID

from drf_spectacular.utils import OpenApiResponse
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.sessions.authentication import principal
from common.api.docs import cursor_of, operation
from common.api.idempotent import idempotent
from common.api.permissions import IsStaff
from common.api.views import ApiView
from payments.exports import selectors, services
from payments.exports.download import sent
from payments.exports.errors import (
    ExportExpired,
    ExportFailed,
    ExportNotReady,
    NotForThisKind,
    PeriodMissing,
    PeriodReversed,
    PeriodTooLong,
    TooManyExports,
    UnknownStatus,
)
from payments.exports.serializers import ExportIn, ExportOut, ExportQuery

TAGS: Final = ["staff: exports"]
CSV: Final = OpenApiResponse(
    str,
    description=(
        "RFC 4180 in UTF-8 with a byte order mark; the first row names the columns. Text that a "
        "spreadsheet would run has an apostrophe in front."
    ),
)


class ForSheets(JSONRenderer):
    """Lets `Accept: text/csv` through; what is rendered is a refusal, hence JSON."""

    media_type = "text/csv"


def _again(_: Request, ref: str) -> Any:
    return ExportOut(selectors.export_by_uid(ref)).data


class Exports(ApiView):
    permission_classes = [IsStaff]

    @operation(
        "Files that staff asked for, newest first",
        operation_id="admin_exports_list",
        answers={200: cursor_of(ExportOut)},
        parameters=(ExportQuery,),
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        query = self.query(request, ExportQuery)
        wanted = {name: query[name] for name in ("kind", "status") if name in query}
        return self.cursor(selectors.exports(**wanted), ExportOut)

    @operation(
        "Have a CSV file made",
        operation_id="admin_exports_create",
        request=ExportIn,
        answers={202: ExportOut},
        refusals=(
            PeriodMissing,
            PeriodReversed,
            PeriodTooLong,
            NotForThisKind,
            UnknownStatus,
            TooManyExports,
        ),
        keyed=True,
        tags=TAGS,
    )
    @idempotent(_again)
    def post(self, request: Request) -> Response:
        body = self.body(request, ExportIn)
        made = services.export_start(
            kind=body["kind"], filters=body.get("filters", {}), actor_id=principal(request).pk
        )
        return Response(_again(request, str(made.uid)), status=202)


class Export(ApiView):
    permission_classes = [IsStaff]

    @operation(
        "How far a file is",
        operation_id="admin_exports_detail",
        answers={200: ExportOut},
        tags=TAGS,
    )
    def get(self, request: Request, uid: UUID) -> Response:
        return Response(_again(request, str(uid)))


class ExportFile(ApiView):
    permission_classes = [IsStaff]
    renderer_classes = [JSONRenderer, ForSheets]

    @operation(
        "Fetch a file that is whole",
        operation_id="admin_exports_file",
        answers={(200, "text/csv"): CSV},
        refusals=(ExportNotReady, ExportFailed, ExportExpired),
        tags=TAGS,
    )
    def get(self, request: Request, uid: UUID) -> Any:
        return sent(selectors.export_by_uid(uid), principal(request).pk)
