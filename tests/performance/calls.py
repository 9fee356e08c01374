"""The requests whose processor time is measured."""

from collections.abc import Callable
from itertools import count
from typing import Any

from django.test import Client

from tests.api.test_query_budgets import BUDGETS, V1, World
from tests.api.test_webhooks import event, signed
from tests.factories.exchange import fund
from tests.factories.flash import live_run
from tests.factories.orders import ORDERS, order_body
from tests.factories.shop import ProductFactory
from tests.performance.twice import HEADER
from tests.performance.urls import EMPTY

Call = Callable[[], Any]


def calls(world: World) -> dict[str, Call]:
    fund(world.owner, 10**9)
    gets = {f"GET {route}": get(world, f"GET {route}") for route in BUDGETS}
    return {**gets, **writes(world)}


def empty(world: World) -> Call:
    return lambda: world.api.get(EMPTY)


def get(world: World, name: str, *, twice: bool = False) -> Call:
    route = name.removeprefix("GET ")
    client, path = world.client(route), world.path(route)
    headers = {HEADER: "1"} if twice else {}

    def call() -> None:
        answer = client.get(path, headers=headers)
        assert answer.status_code == 200, (path, answer.content)
        answer.close()

    return call


def writes(world: World) -> dict[str, Call]:
    product = ProductFactory(stock=10_000)
    run = live_run(units=1_000, price=1)
    one = {"quantity": 1, "payment": {"method": "wallet"}}
    order = order_body((product.slug, 1), method="wallet")
    return {
        "POST an order by wallet": _post(world, ORDERS, order),
        "POST a flash purchase": _post(world, f"{V1}flash-sales/{run.sale.slug}/purchases/", one),
        "POST a webhook": _webhook(),
    }


def _post(world: World, url: str, body: Any) -> Call:
    def call() -> None:
        answer = world.api.post(url, body, format="json")
        assert answer.status_code == 201, answer.content

    return call


def _webhook() -> Call:
    client, numbers = Client(), count()

    def call() -> None:
        payload = event(id_=f"evt_cpu_{next(numbers)}")
        headers = {"Stripe-Signature": signed(payload)}
        answer = client.post(
            "/webhooks/stripe/", payload, content_type="application/json", headers=headers
        )
        assert answer.status_code == 200

    return call
