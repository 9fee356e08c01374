"""Around each call to the world outside: its time, a span, and the request's id to send along."""

from collections.abc import Iterator
from contextlib import contextmanager

from common import context, metrics, tracing


@contextmanager
def calling(provider: str, what: str) -> Iterator[None]:
    """`what` names the call without ids: a path would make a time series of every customer."""
    with (
        tracing.span(f"{provider} {what}", peer=provider),
        metrics.timed(metrics.PROVIDERS, provider),
    ):
        yield


def headers() -> dict[str, str]:
    """So that a provider's log, where it keeps the header, leads back to ours."""
    identifier = context.request_id.get()
    return {"X-Request-ID": identifier} if identifier else {}
