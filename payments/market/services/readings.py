"""Readings as rows, each once."""

from collections.abc import Sequence

from common.db import transactional
from payments.market.models import CoinPrice
from payments.market.rules import prices
from payments.market.rules.prices import Reading


@transactional
def readings_store(*, provider: str, readings: Sequence[Reading]) -> None:
    """Keep them; a reading that is there already is left as it is.

    The readings must be believed: beside duplicates the statement also passes over what a CHECK
    refuses.
    """
    rows = [_row(provider, reading) for reading in readings]
    # In one order, so that two processes wait for each other and never in a circle.
    rows.sort(key=lambda row: (row.coin, row.updated_at))
    CoinPrice.objects.bulk_create(rows, ignore_conflicts=True)


def _row(provider: str, reading: Reading) -> CoinPrice:
    cap = reading.market_cap
    return CoinPrice(
        provider=provider,
        coin=reading.coin,
        updated_at=reading.updated_at,
        price=prices.to_units(reading.price),
        market_cap=None if cap is None else prices.to_units(cap),  # type: ignore[misc]  # may be null
        change_24h=reading.change_24h,
    )
