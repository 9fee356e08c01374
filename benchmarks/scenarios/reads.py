"""The catalogue: lists of twenty, one product, at 100 and at 100,000 products."""

from collections.abc import Sequence
from functools import partial

from benchmarks.load import Ratio, Scenario, Way, request
from benchmarks.scenarios.common import EMPTY_GET, empty_get, gets
from benchmarks.shape import Shape

LIST = "/api/v1/products/?page_size=20"
PAGE, TOKEN = "list of 20", "list of 20 with ETH"
ANEW, DEAR = "list of 20 with ETH, made anew", "list of 20 by price, made anew"
VISITOR, AGAIN = "list of 20, a visitor", "list of 20, unchanged, a visitor"
SEARCH, DETAIL, NAIVE = "search", "one product", "list of 20, the naive way"


def _prepare(shape: Shape, count: int) -> Sequence[Way]:
    from benchmarks.shop import world
    from payments.market.services import prices_tick

    world.products(count)
    prices_tick(every=1)
    tokens = world.customers(64)
    return [
        empty_get(tokens),
        Way(name=PAGE, calls=lambda _: gets(LIST, tokens)),
        Way(name=TOKEN, calls=lambda _: gets(f"{LIST}&token=ETH", tokens)),
        Way(
            name=AGAIN,
            good=304,
            before=lambda: _etag(shape),
            calls=lambda etag: [[request("GET", LIST, headers=[f"If-None-Match: {etag}"])]] * 64,
        ),
        Way(name=VISITOR, calls=lambda _: [[request("GET", LIST)]] * 64),
        Way(
            name=ANEW,
            calls=lambda _: gets(f"{LIST}&token=ETH", tokens),
            server=shape.another_web("anew", SHELF_SECONDS="0"),
        ),
        Way(name=DEAR, calls=lambda _: _different(tokens)),
        Way(name=SEARCH, calls=lambda _: gets(f"{LIST}&search=green", tokens)),
        Way(name=DETAIL, calls=lambda _: gets("/api/v1/products/thing-1/", tokens)),
        Way(name=NAIVE, calls=lambda _: gets("/benchmark/products/", tokens)),
    ]


def _different(tokens: list[str]) -> list[list[str]]:
    """Each has another address, so that none is shown again."""
    paths = (f"{LIST}&token=ETH&max_price={90_000 + n}" for n in range(64 * 100))
    return [[request("GET", path, token=tokens[n % 64])] for n, path in enumerate(paths)]


def _etag(shape: Shape) -> str:
    """What the page answered last, as a client keeps it."""
    import httpx

    # The address that the callers ask for, since the links in a page are made of it.
    headers = {"Host": "127.0.0.1"}
    answer = httpx.get(f"http://127.0.0.1:{shape.port}{LIST}", headers=headers, trust_env=False)
    return str(answer.headers["ETag"])


RATIOS = (
    Ratio(
        name="a list with token prices to the empty view", above=TOKEN, below=EMPTY_GET, target=0.5
    ),
    Ratio(name="the same by conditional GET", above=AGAIN, below=EMPTY_GET, target=2),
    Ratio(
        name="processor time of a token's prices",
        above=TOKEN,
        below=PAGE,
        target=1.05,
        most=True,
        figure="app_cpu_ms",
    ),
    Ratio(name="a list to the naive way", above=PAGE, below=NAIVE),
    Ratio(name="a list that is made anew to the empty view", above=ANEW, below=EMPTY_GET),
    Ratio(name="a list that is made anew to the naive way", above=ANEW, below=NAIVE),
    Ratio(name="a list by price that is made anew to the empty view", above=DEAR, below=EMPTY_GET),
    Ratio(name="a visitor's list to the empty view", above=VISITOR, below=EMPTY_GET),
    Ratio(name="one product to the empty view", above=DETAIL, below=EMPTY_GET),
    Ratio(name="a search to the empty view", above=SEARCH, below=EMPTY_GET),
)


def _scenario(count: int) -> Scenario:
    return Scenario(
        about=f"Reads of a catalogue of {count:,} products, signed in.",
        prepare=partial(_prepare, count=count),
        ratios=RATIOS,
        exact=False,
    )


SCENARIOS = {"catalogue": _scenario(100), "catalogue-large": _scenario(100_000)}
