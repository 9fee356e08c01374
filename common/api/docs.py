"""Short words for the OpenAPI document."""

import functools
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    inline_serializer,
)
from rest_framework import serializers

from common.api.serializers import Problem

Out = type[serializers.BaseSerializer[Any]]
Handler = TypeVar("Handler", bound=Callable[..., Any])

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="1 to 255 visible ASCII characters; the same key and body give the same object.",
)

IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    str,
    OpenApiParameter.HEADER,
    description="The `ETag` of an earlier answer: 304 without a body where it would be the same.",
)
_NOT_MODIFIED = OpenApiResponse(description="As it was when it had that `ETag`.")
_ETAG = OpenApiParameter(
    "ETag",
    str,
    OpenApiParameter.HEADER,
    description="Changes with the body.",
    response=[200, 304],
)

_MEANING = {
    400: "The request is not valid; `errors` names the fields.",
    401: "Valid credentials are needed.",
    402: "The card was declined.",
    403: "This is not allowed.",
    404: "There is no such thing, or it is not yours.",
    409: "The current state does not allow this; `code` says why.",
    413: "The body is too large.",
    415: "The content type is not supported.",
    422: "Understood but refused; `code` says why.",
    429: "Too many requests; see `Retry-After`.",
    503: "Too busy; see `Retry-After`.",
}


def page_of(out: Out) -> Any:
    """The answer of `ApiView.pages`."""
    return _list_of(cast(Hashable, out), counted=True)


def cursor_of(out: Out) -> Any:
    """The answer of `ApiView.cursor`."""
    return _list_of(cast(Hashable, out), counted=False)


@functools.cache  # two routes that answer with the same list must name one component
def _list_of(out: Any, *, counted: bool) -> Any:
    count = {"count": serializers.IntegerField()} if counted else {}
    links = {name: serializers.URLField(allow_null=True) for name in ("next", "previous")}
    name = out.__name__.removesuffix("Out") + ("Page" if counted else "List")
    return inline_serializer(name, {**count, **links, "results": out(many=True)})


def operation(
    summary: str,
    *,
    answers: dict[int, Any],
    refusals: tuple[int, ...] = (),
    keyed: bool = False,
    revalidated: bool = False,
    parameters: tuple[Any, ...] = (),
    **kwargs: Any,
) -> Callable[[Handler], Handler]:
    """`extend_schema` with the refusals as problem documents.

    `keyed` adds Idempotency-Key, `revalidated` what `common.api.conditional.Revalidated` does.
    """
    codes = {*refusals, *((409, 422) if keyed else ())}
    problems = {
        (code, "application/problem+json"): OpenApiResponse(Problem, _MEANING[code])
        for code in sorted(codes)
    }
    more = [IDEMPOTENCY_KEY] if keyed else []
    if revalidated:
        answers, more = {**answers, 304: _NOT_MODIFIED}, [*more, IF_NONE_MATCH, _ETAG]
    return extend_schema(
        summary=summary,
        responses={**answers, **problems},
        parameters=[*parameters, *more],
        **kwargs,
    )
