"""`Idempotency-Key` on POST handlers."""

import functools
from collections.abc import Callable
from typing import Any, Final, cast

from rest_framework.request import Request
from rest_framework.response import Response

from common.api import problems
from common.idempotency import services
from common.idempotency.services import Claim, Replay

Handler = Callable[..., Response]
Render = Callable[[Request, str], Any]
Sent = Callable[[Request], Any]

STORED_REFUSALS: Final = {402, 409, 422}


def _data(request: Request) -> Any:
    return request.data


def idempotent(render: Render, *, sent: Sent = _data) -> Callable[[Handler], Handler]:
    """Make a POST handler honour Idempotency-Key.

    The handler's service must call `idempotency.services.bind(ref, status=…)` in its transaction;
    `render(request, ref)` gives the body for that object again. A 2xx answer that bound nothing is
    a programming error and raises RuntimeError. `sent` is what another call with the key must have
    sent as well; of a multipart body the framework itself would compare no more than file names.
    """

    def decorate(handler: Handler) -> Handler:
        @functools.wraps(handler)
        def wrapper(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
            key = request.headers.get("Idempotency-Key")
            if key is None:
                return handler(view, request, *args, **kwargs)
            # Keys belong to users; views that take keys deny everybody else before this.
            user_id = cast(int, request.user.pk)
            begun = services.begin(
                user_id=user_id, route=f"POST {request.path}", key=key, body=sent(request)
            )
            if isinstance(begun, Replay):
                return _replay(begun, request, render)
            return _carry_out(begun, request, lambda: handler(view, request, *args, **kwargs))

        wrapper.honours_idempotency_key = True  # type: ignore[attr-defined]
        return wrapper

    return decorate


def _carry_out(claim: Claim, request: Request, call: Callable[[], Response]) -> Response:
    try:
        response = call()
    except Exception as exc:
        _end_failed(claim, exc, request)
        raise
    if not services.end_done(claim):
        raise RuntimeError(f"{request.path} answered {response.status_code} and bound no object")
    return response


def _end_failed(claim: Claim, exc: Exception, request: Request) -> None:
    error = problems.translate(exc)
    # What is worth trying again (Retry-After) is no answer to keep.
    if error and error.status in STORED_REFUSALS and error.retry_after is None:
        document = problems.problem(error, request.path)
        services.end_refused(claim, status=error.status, problem=document)
    else:
        services.end_forgotten(claim)


def _replay(found: Replay, request: Request, render: Render) -> Response:
    if found.problem is not None:
        response = Response(found.problem, status=found.status, content_type=problems.CONTENT_TYPE)
    else:
        response = Response(render(request, found.object_ref), status=found.status)
    response["Idempotent-Replayed"] = "true"
    return response
