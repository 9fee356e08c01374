"""What the cache knows on Stripe's side: whose turn a periodic job is."""

from typing import Final

from django.core.cache import cache

# Shorter than the hour between two runs, longer than one may take.
TURN_SECONDS: Final = 3000


def take_turn(job: str) -> bool:
    """True for the first of several workers or beats that ask within the time of one turn."""
    return bool(cache.add(f"stripe:turn:{job}", 1, TURN_SECONDS))
