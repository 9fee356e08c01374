"""The view every API route is made of."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer, Serializer
from rest_framework.views import APIView

from common.api.pagination import Cursor, InMemory, Pages
from common.api.serializers import validated

S = TypeVar("S", bound="Serializer[Any]")
Out = type[BaseSerializer[Any]]
WithPage = Callable[[list[Any]], dict[str, Any]]


def _nothing(_: list[Any]) -> dict[str, Any]:
    return {}


# A comment, not a docstring: that would be every operation's description in the API's document.
# Deny by default (settings ask for a signed-in user); explicit fields in and out.
class ApiView(APIView):
    def body(self, request: Request, serializer: type[S]) -> dict[str, Any]:
        """The validated body; raises ValidationError."""
        return validated(serializer, request.data)

    def query(self, request: Request, serializer: type[S]) -> dict[str, Any]:
        """The validated query parameters; raises ValidationError."""
        return validated(serializer, request.query_params.dict())

    def pages(
        self,
        rows: QuerySet[Any] | list[Any],
        out: Out,
        *,
        with_page: WithPage = _nothing,
        **context: Any,
    ) -> Response:
        """A counted page; `with_page` reads once what all rows of the page need."""
        return self._paginated(Pages(), rows, out, with_page, context)

    def cursor(
        self,
        rows: QuerySet[Any] | InMemory,
        out: Out,
        *,
        ordering: Any = "-pk",
        with_page: WithPage = _nothing,
        **context: Any,
    ) -> Response:
        """A page by cursor; `ordering` must be a total order that an index has."""
        paginator = Cursor()
        paginator.ordering = ordering
        return self._paginated(paginator, rows, out, with_page, context)

    def _paginated(
        self, paginator: Any, rows: Any, out: Out, with_page: WithPage, context: dict[str, Any]
    ) -> Response:
        page = paginator.paginate_queryset(rows, self.request, view=self)
        rendered = out(page, many=True, context={**context, **with_page(page)})
        response: Response = paginator.get_paginated_response(rendered.data)
        return response
