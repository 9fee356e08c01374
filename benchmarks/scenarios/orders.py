"""Ordinary orders: paid from the wallet, opened for a card; and what Stripe says of them."""

import json
import time
from collections.abc import Sequence
from itertools import count
from typing import Any

from benchmarks.load import Ratio, Scenario, Way, request
from benchmarks.scenarios import raw
from benchmarks.scenarios.common import EMPTY, empty, posts
from benchmarks.shape import Shape

CUSTOMERS = 512
PATH = "/api/v1/orders/"
WALLET, HOT, CARD, PLAIN = (
    "order by wallet, 20 products",
    "order by wallet, one product",
    "order by card",
    "FOR UPDATE order, one product",
)
HOOKS = 20_000


def _body(slug: str, method: str) -> dict[str, Any]:
    return {"lines": [{"product": slug, "quantity": 1}], "payment": {"method": method}}


def _prepare(shape: Shape) -> Sequence[Way]:
    from benchmarks.shop import world

    world.products(20)
    slugs = [f"thing-{n}" for n in range(20)]
    world.stocked(slugs, 10_000_000)
    tokens = world.customers(CUSTOMERS)
    mixed = [
        [request("POST", PATH, _body(slugs[n % 20], "wallet"), token=token)]
        for n, token in enumerate(tokens)
    ]
    hot, wallet = slugs[0], Way(name=WALLET, calls=lambda _: mixed, good=201)
    return [
        empty(tokens),
        wallet,
        *raw.mysql(shape, wallet),
        Way(name=HOT, calls=lambda _: posts(PATH, _body(hot, "wallet"), tokens), good=201),
        Way(name=CARD, calls=lambda _: posts(PATH, _body(hot, "stripe"), tokens), good=201),
        Way(
            name=PLAIN,
            calls=lambda _: posts(f"/benchmark/orders/{hot}/", {}, tokens),
            good=201,
        ),
    ]


def _webhooks(shape: Shape) -> Sequence[Way]:
    from benchmarks.shop import world

    tokens, numbers = world.customers(64), count()
    return [
        empty(tokens),
        Way(
            name="webhook",
            once=True,
            calls=lambda _: [[webhook(next(numbers))] for _ in range(HOOKS)],
        ),
        Way(
            name="webhook, known",
            before=lambda: webhook(next(numbers)),
            calls=lambda known: [[known]],
        ),
    ]


def webhook(number: int) -> str:
    """An event of a payment that is not ours, signed: stored, and left to a worker."""
    from payments.sandbox.stripe.events import signature

    now = int(time.time())
    intent = {"id": f"pi_bench{number:012}", "object": "payment_intent", "amount": 500}
    event = {
        "id": f"evt_bench{number:012}",
        "object": "event",
        "type": "payment_intent.processing",
        "created": now,
        "livemode": False,
        "data": {"object": intent},
    }
    body = json.dumps(event)
    signed = signature("whsec_benchmark", body.encode(), now)
    headers = [f"Stripe-Signature: {signed}"]
    return request("POST", "/webhooks/stripe/", body, headers=headers)


SCENARIOS = {
    "orders": Scenario(
        about="Orders of a line each, all rows written. No worker runs beside the server. "
        + raw.ABOUT,
        prepare=_prepare,
        ratios=(
            Ratio(name="order by wallet to the empty view", above=WALLET, below=EMPTY, target=0.1),
            *raw.ratios("order by wallet", WALLET),
            Ratio(name="one hot product to twenty", above=HOT, below=WALLET),
            Ratio(name="order by card to the empty view", above=CARD, below=EMPTY),
            Ratio(name="order of a hot product to FOR UPDATE", above=HOT, below=PLAIN),
        ),
    ),
    "webhooks": Scenario(
        about="Intake of Stripe's events: verified, stored, answered; a worker decides later.",
        prepare=_webhooks,
        ratios=(Ratio(name="a webhook to the empty view", above="webhook", below=EMPTY),),
        exact=False,
    ),
}
