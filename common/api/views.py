"""The view every API route is made of."""

from typing import Any, TypeVar

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer, Serializer
from rest_framework.views import APIView

from common.api.pagination import Cursor, Pages

S = TypeVar("S", bound="Serializer[Any]")


class ApiView(APIView):
    """Deny by default (settings ask for a signed-in user); explicit fields in and out."""

    def body(self, request: Request, serializer: type[S]) -> dict[str, Any]:
        """The validated body; raises ValidationError."""
        bound = serializer(data=request.data, context={"request": request})
        bound.is_valid(raise_exception=True)
        return dict(bound.validated_data)

    def query(self, request: Request, serializer: type[S]) -> dict[str, Any]:
        """The validated query parameters; raises ValidationError."""
        bound = serializer(data=request.query_params.dict())
        bound.is_valid(raise_exception=True)
        return dict(bound.validated_data)

    def pages(self, rows: QuerySet[Any], out: type[BaseSerializer[Any]], **context: Any) -> Response:
        return self._paginated(Pages(), rows, out, context)

    def cursor(
        self, rows: QuerySet[Any], out: type[BaseSerializer[Any]], ordering: Any = "-pk", **context: Any
    ) -> Response:
        paginator = Cursor()
        paginator.ordering = ordering
        return self._paginated(paginator, rows, out, context)

    def _paginated(
        self, paginator: Any, rows: Any, out: type[BaseSerializer[Any]], context: dict[str, Any]
    ) -> Response:
        page = paginator.paginate_queryset(rows, self.request, view=self)
        return paginator.get_paginated_response(out(page, many=True, context=context).data)
