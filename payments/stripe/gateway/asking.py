"""How Stripe is asked: its client, its exceptions as ours, a key for each thing that is done."""

import functools
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import stripe
from django.conf import settings

from common import outside
from payments.stripe import rules
from payments.stripe.errors import Declined, KeySpent, Refused, ServerFault, Unreachable

T = TypeVar("T")


class Outside(stripe.RequestsClient):
    """Stripe's own client, measured, and with our request's id on each call."""

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        **more: Any,
    ) -> Any:
        with outside.calling("stripe", f"{method} {rules.resource(url)}"):
            own = {**(headers or {}), **outside.headers()}
            return super().request(method, url, own, post_data, **more)


@functools.lru_cache(maxsize=4)
def _client(key: str, base: str, version: str, timeout: float) -> stripe.StripeClient:
    return stripe.StripeClient(
        key,
        base_addresses={"api": base},
        stripe_version=version,
        http_client=Outside(timeout=timeout),
        # A retry keeps its idempotency key, so a lost answer does not charge twice.
        max_network_retries=1,
    )


def client() -> stripe.StripeClient:
    return _client(
        settings.STRIPE_SECRET_KEY,
        settings.STRIPE_API_BASE,
        settings.STRIPE_API_VERSION,
        settings.STRIPE_TIMEOUT_SECONDS,
    )


@contextmanager
def answers() -> Iterator[None]:
    """Stripe's exceptions as ours: declined, refused, or nobody knows."""
    try:
        yield
    except stripe.CardError as error:
        raise Declined(_card_error(error)) from error
    except stripe.IdempotencyError as error:
        raise KeySpent(_name(error)) from error
    # A wrong key is ours to mend, not the customer's: what was asked waits until it is.
    except (
        stripe.APIConnectionError,
        stripe.RateLimitError,
        stripe.APIError,
        stripe.AuthenticationError,
        stripe.PermissionError,
    ) as error:
        raise _unknown(error) from error
    except stripe.StripeError as error:
        # A concurrent call with the same key is answered 409: its outcome is the other call's.
        if error.http_status == 409 or (error.http_status or 500) >= 500:
            raise _unknown(error) from error
        raise Refused(error.code or "invalid_request", error.user_message or "refused") from error


def _unknown(error: stripe.StripeError) -> Unreachable:
    kind = ServerFault if (error.http_status or 0) >= 500 else Unreachable
    return kind(_name(error))


def _name(error: stripe.StripeError) -> str:
    return type(error).__name__


def _card_error(error: stripe.CardError) -> dict[str, Any]:
    found = error.error
    return {
        "code": error.code or "card_declined",
        "decline_code": getattr(found, "decline_code", None),
        "message": error.user_message or "The card was declined.",
    }


def _nothing() -> None:
    """What may exist twice: an intent or customer that nobody uses moves no money."""


def with_key(key: str, call: Callable[[str], T], look: Callable[[], T | None] = _nothing) -> T:
    """Call with `key`; where that is spent and `look` finds nothing done, with one of its own.

    Not for what must not be done twice: another caller's own key would do it once more.
    """
    try:
        return call(key)
    except KeySpent:
        done = look()
        return call(another(key)) if done is None else done


def another(key: str) -> str:
    """A key under which Stripe keeps no answer yet."""
    return f"{key}-{uuid.uuid4().hex}"
