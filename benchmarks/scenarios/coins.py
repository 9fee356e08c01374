"""The exchange and the market."""

from collections.abc import Sequence

from benchmarks.load import Ratio, Scenario, Way
from benchmarks.scenarios import raw
from benchmarks.scenarios.common import EMPTY, empty, gets, posts
from benchmarks.shape import Shape

PATH = "/api/v1/exchange/orders/"
TINY, WHOLE = "a dollar of ABAN", "a batch of its own"


def _exchange(shape: Shape) -> Sequence[Way]:
    from benchmarks.shop import world

    tokens = world.customers(512)
    tiny, whole = ({"currency": "ABAN", "amount": amount} for amount in ("0.25", "3"))
    alone = Way(name=WHOLE, calls=lambda _: posts(PATH, whole, tokens), good=201)
    return [
        empty(tokens),
        Way(name=TINY, calls=lambda _: posts(PATH, tiny, tokens), good=201),
        alone,
        *raw.mysql(shape, alone),
    ]


def _market(shape: Shape) -> Sequence[Way]:
    from benchmarks.shop import world
    from payments.market.services import prices_tick

    prices_tick(every=1)
    tokens = world.customers(64)
    return [
        empty(tokens),
        Way(name="stats", calls=lambda _: gets("/api/stats?coin=bitcoin", tokens)),
        Way(name="deviation", calls=lambda _: gets("/api/deviation?coin=bitcoin", tokens)),
    ]


SCENARIOS = {
    "exchange": Scenario(
        about="Orders for coins, paid from the wallet: pooled, or a batch of their own. "
        + raw.ABOUT,
        prepare=_exchange,
        ratios=(
            Ratio(name="a pooled order to the empty view", above=TINY, below=EMPTY),
            Ratio(name="an order with a batch of its own", above=WHOLE, below=EMPTY),
            *raw.ratios(WHOLE, WHOLE),
        ),
    ),
    "market": Scenario(
        about="A coin's price and its deviation.",
        prepare=_market,
        exact=False,
        ratios=(
            Ratio(name="stats to the empty view", above="stats", below=EMPTY),
            Ratio(name="deviation to the empty view", above="deviation", below=EMPTY),
        ),
    ),
}
