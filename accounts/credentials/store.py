"""Who was sent a mail a moment ago."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.core.cache import cache

from common.outbox.errors import TryLater

# A second mail within this time is not sent: whoever asks for them by the hundred fills no inbox.
PAUSE: Final = 120
SENT: Final = "sent"
# As long as the lease of the task's message: a mail whose worker was killed goes out after it.
SENDING: Final = 30


def may_send(kind: str, user_id: int, nonce: str) -> bool:
    """Whether this request's mail is to go out: none has lately, and no other one is about to.

    A task that failed and runs again finds its own nonce. A cache that is down lets mails through.
    """
    key = _key(kind, user_id)
    cache.add(key, nonce, PAUSE)
    return cache.get(key) in (None, nonce)


@contextmanager
def sending(kind: str, user_id: int, nonce: str) -> Iterator[None]:
    """One worker at a time for one request's mail. Raises TryLater for the others."""
    key = f"{_key(kind, user_id)}:{nonce}"
    # A cache that is down refuses everybody and has nothing: the mail goes out.
    if not cache.add(key, 1, SENDING) and cache.get(key) is not None:
        raise TryLater("another worker is sending")
    try:
        yield
    except BaseException:
        cache.delete(key)
        raise
    # Kept after a success: who looked before the end would find the way free and send again.
    cache.set(_key(kind, user_id), SENT, PAUSE)


def _key(kind: str, user_id: int) -> str:
    return f"mail:{kind}:{user_id}"
