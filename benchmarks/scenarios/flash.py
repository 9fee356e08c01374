"""A rush for one product: bought, refused when sold out, watched."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from benchmarks.load import CALLERS, Ratio, Scenario, Way
from benchmarks.scenarios import raw
from benchmarks.scenarios.common import EMPTY, EMPTY_GET, empty, empty_get, gets, posts
from benchmarks.shape import Shape

CUSTOMERS = 1024
PATH, PLAIN_PATH = "/api/v1/flash-sales/rush/purchases/", "/benchmark/rush/purchases/"
BODY = {"quantity": 1, "payment": {"method": "wallet"}}
NEVER, EVERYSEC, ALWAYS = "never", "everysec", "always"
BOUGHT, PLAIN = "flash purchase", "FOR UPDATE purchase"
COUNTED = "stock, the naive way"
OUT, PLAIN_OUT = "flash, sold out", "FOR UPDATE, sold out"


def _prepare(shape: Shape) -> Sequence[Way]:
    from benchmarks.shop import world

    tokens, sale = world.customers(CUSTOMERS), world.sale(10_000_000)

    def rush(name: str, path: str, units: int) -> Way:
        return Way(
            name=name,
            before=partial(world.hold_run, sale.pk, units or CALLERS),
            calls=lambda _: posts(path, BODY, tokens),
            check=partial(_exact, world),
            good=201 if units else 409,
            warm=1.0,
            drain=not units,
        )

    bought = rush(BOUGHT, PATH, 12_000)
    return [
        empty(tokens),
        bought,
        *raw.mysql(shape, bought),
        raw.redis(shape),
        rush(PLAIN, PLAIN_PATH, 4_000),
        rush(OUT, PATH, 0),
        rush(PLAIN_OUT, PLAIN_PATH, 0),
    ]


def _exact(world: Any, run: Any, good: int) -> str:
    """As many units are gone as were answered with 201: all of them, where it is sold out."""
    sold = world.sold(run)
    wanted = run.allocation if run.allocation == CALLERS else good
    return "" if sold == (wanted, wanted) else f"{wanted} answered, {sold} in the database"


def _durable(shape: Shape) -> Sequence[Way]:
    """The same purchases while Redis writes its log to the disk once a second, or at each write."""
    import redis

    from benchmarks.shop import world

    tokens, sale = world.customers(CUSTOMERS), world.sale(10_000_000)
    client = redis.Redis.from_url(shape.redis.url)

    def written(how: str) -> Way:
        def before() -> Any:
            client.config_set("appendonly", "no" if how == NEVER else "yes")
            client.config_set("appendfsync", "everysec" if how == NEVER else how)
            return world.hold_run(sale.pk, 12_000)

        return Way(
            name=f"flash purchase, log {how}",
            before=before,
            calls=lambda _: posts(PATH, BODY, tokens),
            check=partial(_exact, world),
            good=201,
            warm=1.0,
        )

    return [written(how) for how in (NEVER, EVERYSEC, ALWAYS)]


def _watch(shape: Shape) -> Sequence[Way]:
    from benchmarks.shop import world

    tokens, sale = world.customers(64), world.sale(10_000)
    world.hold_run(sale.pk, 1_000)
    return [
        empty_get(tokens),
        Way(name="stock", calls=lambda _: gets("/api/v1/flash-sales/rush/stock/", tokens)),
        Way(name=COUNTED, calls=lambda _: gets("/benchmark/rush/stock/", tokens)),
        Way(name="the sale", calls=lambda _: gets("/api/v1/flash-sales/rush/", tokens)),
        Way(name="the public dashboard", calls=lambda _: gets("/api/v1/dashboard/", tokens)),
        Way(name="the public page", calls=lambda _: gets("/", tokens)),
    ]


SCENARIOS = {
    "flash": Scenario(
        about="Purchases of one hot product, paid from the wallet, all rows written. " + raw.ABOUT,
        prepare=_prepare,
        ratios=(
            Ratio(name="flash purchase to empty view", above=BOUGHT, below=EMPTY, target=0.5),
            Ratio(
                name="flash purchase to FOR UPDATE purchase", above=BOUGHT, below=PLAIN, target=10
            ),
            *raw.ratios("flash purchase", BOUGHT),
            Ratio(name="flash purchase to raw Redis", above=BOUGHT, below=raw.REDIS),
            Ratio(name="refusal when sold out to empty view", above=OUT, below=EMPTY, target=5),
            Ratio(name="refusal when sold out to FOR UPDATE refusal", above=OUT, below=PLAIN_OUT),
        ),
    ),
    "redis-log": Scenario(
        about="Flash purchases by how often Redis writes its log (appendfsync) to the disk.",
        prepare=_durable,
        ratios=(
            Ratio(
                name="log always to everysec",
                above=f"flash purchase, log {ALWAYS}",
                below=f"flash purchase, log {EVERYSEC}",
                target=0.9,
            ),
        ),
    ),
    "watching": Scenario(
        about="What a crowd looks at before it buys.",
        prepare=_watch,
        exact=False,
        ratios=(
            Ratio(name="live stock to the empty view", above="stock", below=EMPTY_GET),
            Ratio(name="live stock to the naive way", above="stock", below=COUNTED),
        ),
    ),
}
