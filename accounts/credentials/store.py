"""Who was sent a mail a moment ago."""

from typing import Final

from django.core.cache import cache

# A second mail within this time is not sent: whoever asks for them by the hundred fills no inbox.
PAUSE: Final = 120
SENT: Final = "sent"


def may_send(kind: str, user_id: int, nonce: str) -> bool:
    """Whether this request's mail is to go out: none has lately, and no other one is about to.

    A task that failed and runs again finds its own nonce. A cache that is down lets mails through.
    """
    key = _key(kind, user_id)
    cache.add(key, nonce, PAUSE)
    return cache.get(key) in (None, nonce)


def sent(kind: str, user_id: int) -> None:
    cache.set(_key(kind, user_id), SENT, PAUSE)


def _key(kind: str, user_id: int) -> str:
    return f"mail:{kind}:{user_id}"
