"""Short words for the OpenAPI document. What every operation has is in `common.api.schema`."""

import functools
from collections.abc import Callable, Hashable
from typing import Any, Final, NamedTuple, TypeVar, cast

from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    inline_serializer,
)
from rest_framework import serializers

from common.api.serializers import StrictSerializer
from common.errors import SoukError

Out = type[serializers.BaseSerializer[Any]]
Handler = TypeVar("Handler", bound=Callable[..., Any])
# Limits that a view holds beside those of every route; called where the document is made, since
# they are settings.
Attempts = Callable[[], dict[str, Any]]

IDEMPOTENCY_KEY: Final = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[\x21-\x7e]+$"},
    OpenApiParameter.HEADER,
    description="1 to 255 visible ASCII characters; the same key and body give the same object.",
)

IF_NONE_MATCH: Final = OpenApiParameter(
    "If-None-Match",
    str,
    OpenApiParameter.HEADER,
    description="The `ETag` of an earlier answer: 304 without a body where it would be the same.",
)
_NOT_MODIFIED: Final = OpenApiResponse(description="As it was when it had that `ETag`.")
_ETAG: Final = OpenApiParameter(
    "ETag",
    str,
    OpenApiParameter.HEADER,
    description="Changes with the body.",
    response=[200, 304],
)


class Told(NamedTuple):
    """What an operation says of itself; the document's other parts are derived from its view."""

    refusals: tuple[type[SoukError], ...] = ()
    keyed: bool = False
    inputs: tuple[type[StrictSerializer], ...] = ()
    attempts: Attempts | None = None


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
    answers: dict[Any, Any],
    refusals: tuple[type[SoukError], ...] = (),
    keyed: bool = False,
    revalidated: bool = False,
    attempts: Attempts | None = None,
    parameters: tuple[Any, ...] = (),
    **kwargs: Any,
) -> Callable[[Handler], Handler]:
    """`extend_schema`, with the refusals that this operation has and others have not.

    `keyed` adds Idempotency-Key, `revalidated` what `common.api.conditional.Revalidated` does,
    `attempts` the limits on failed or repeated attempts.
    """
    more = [IDEMPOTENCY_KEY] if keyed else []
    if revalidated:
        answers, more = {**answers, 304: _NOT_MODIFIED}, [*more, IF_NONE_MATCH, _ETAG]
    extended = extend_schema(
        summary=summary, responses=answers, parameters=[*parameters, *more], **kwargs
    )
    told = Told(refusals, keyed, _inputs(kwargs.get("request"), parameters), attempts)

    def decorate(handler: Handler) -> Handler:
        handler.told = told  # type: ignore[attr-defined]
        return extended(handler)

    return decorate


def _inputs(body: Any, parameters: tuple[Any, ...]) -> tuple[type[StrictSerializer], ...]:
    bodies = body.values() if isinstance(body, dict) else (body,)
    found = (*bodies, *parameters)
    return tuple(e for e in found if isinstance(e, type) and issubclass(e, StrictSerializer))
