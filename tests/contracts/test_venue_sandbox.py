"""The venue's stand-in over real HTTP: strict where a lax one would hide a mistake."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from payments.sandbox.venue import VenueSandbox

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def world() -> Iterator[VenueSandbox]:
    with VenueSandbox() as made:
        yield made


@pytest.fixture
def http(world: VenueSandbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=world.url, timeout=1, trust_env=False) as client:
        yield client


def order(http: Any, amount: str = "3", currency: str = "ABAN", key: str = "") -> Any:
    body = {"client_order_id": key or uuid.uuid4().hex, "currency": currency, "amount": amount}
    return http.post("/v1/orders", json=body)


def test_an_order_is_filled_at_the_price(http: Any) -> None:
    answer = order(http)
    assert answer.status_code == 201
    found = answer.json()
    assert (found["status"], found["filled"], found["cost"]) == ("filled", "3", "12.00")


def test_an_id_stands_for_one_order(http: Any, world: VenueSandbox) -> None:
    first, second = (order(http, key="k") for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert order(http, amount="4", key="k").status_code == 409
    assert len(world.bought()) == 1


def test_less_than_the_minimum_is_refused_with_the_minimum(http: Any) -> None:
    answer = order(http, amount="2.49999999")
    assert answer.status_code == 422
    assert (answer.json()["reason"], answer.json()["minimum"]) == ("below_minimum", "10.00")
    assert order(http, amount="2.5").status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"client_order_id": "k", "currency": "ABAN"},
        {"client_order_id": "k", "currency": "ABAN", "amount": "-3"},
        {"client_order_id": "k", "currency": "ABAN", "amount": "NaN"},
        {"client_order_id": "k", "currency": "ABAN", "amount": "three"},
        {"client_order_id": "k", "currency": "ABAN", "amount": "3", "price": "1"},
    ],
)
def test_what_is_no_order_is_400(http: Any, body: Any) -> None:
    assert http.post("/v1/orders", json=body).status_code == 400


def test_a_coin_it_does_not_have_is_refused(http: Any) -> None:
    assert order(http, currency="DOGE").json()["reason"] == "unknown_currency"


def test_an_order_is_found_by_its_id(http: Any) -> None:
    made = order(http, key="a/b c").json()
    assert http.get("/v1/orders/a%2Fb%20c").json() == made
    missing = http.get("/v1/orders/other")
    assert (missing.status_code, missing.json()["code"]) == (404, "unknown_order")
    assert http.get("/elsewhere").json()["code"] == "not_found"


@pytest.mark.parametrize("kind", ["500", "reset", "html", "401"])
def test_these_faults_take_no_order(http: Any, world: VenueSandbox, kind: str) -> None:
    world.fault(kind)
    try:
        assert order(http, key="k").status_code != 201
    except httpx.HTTPError:
        assert kind == "reset"
    assert world.bought() == []
    assert order(http, key="k").status_code == 201


@pytest.mark.parametrize("kind", ["500_after", "reset_after", "timeout_after", "truncated"])
def test_these_faults_take_it_and_lose_the_answer(
    http: Any, world: VenueSandbox, kind: str
) -> None:
    world.fault(kind, seconds=1.5)
    try:
        assert order(http, key="k").text[-1:] != "}" or kind == "500_after"
    except httpx.HTTPError:
        assert kind in ("reset_after", "timeout_after")
    assert http.get("/v1/orders/k").json()["status"] == "filled"
    assert len(world.bought()) == 1


def test_fills_as_asked_for(http: Any, world: VenueSandbox) -> None:
    world.fault("partial", value="0.25")
    world.fault("dust")
    world.fault("refuse")
    world.fault("minimum", value="20.00")
    answers = [order(http).json() for _ in range(4)]
    assert [(a["status"], a["filled"]) for a in answers] == [
        ("partially_filled", "0.75000000"),
        ("filled", "3.00000001"),
        ("rejected", "0"),
        ("rejected", "0"),
    ]
    assert answers[3]["minimum"] == "20.00"


def test_a_pending_order_is_filled_when_it_is_asked_about_again(
    http: Any, world: VenueSandbox
) -> None:
    world.fault("pending")
    assert order(http, key="k").json()["status"] == "open"
    states = [http.get("/v1/orders/k").json()["status"] for _ in range(2)]
    assert states == ["open", "filled"]


def test_the_statement_has_every_order_by_page(http: Any) -> None:
    keys = [order(http).json()["client_order_id"] for _ in range(103)]
    first = http.get("/v1/statement?since=0").json()
    second = http.get(f"/v1/statement?since=0&after={first['next']}").json()
    found = [row["client_order_id"] for row in first["orders"] + second["orders"]]
    assert (found, second["next"]) == (keys, None)
    assert http.get("/v1/statement?since=99999999999").json()["orders"] == []


def test_a_misspelt_fault_is_refused(http: Any, world: VenueSandbox) -> None:
    with pytest.raises(ValueError, match="kind"):
        world.fault("timeuot")
    assert http.post("/_sandbox/faults", json={"kind": "x"}).status_code == 400
    assert http.post("/_sandbox/faults", json={"kind": "500", "times": 2}).status_code == 200
    assert http.delete("/_sandbox/faults").status_code == 200


def test_its_log_of_calls_and_prices_are_seen_and_set_over_http(http: Any) -> None:
    order(http, key="k")
    [call] = http.get("/_sandbox/calls").json()["calls"]
    assert (call["method"], call["body"]["client_order_id"]) == ("POST", "k")
    http.post("/_sandbox/prices", json={"ABAN": "5.00"})
    assert order(http).json()["cost"] == "15.00"


def test_with_a_key_it_answers_nobody_else() -> None:
    with (
        VenueSandbox(key="secret") as world,
        httpx.Client(base_url=world.url, trust_env=False) as client,
    ):
        assert order(client).status_code == 401
        client.headers["Authorization"] = "Bearer secret"
        assert order(client).status_code == 201


def test_as_a_process_it_remembers_its_orders_after_a_restart(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "payments.sandbox.venue", "--port", "0", "--db"]
    for status in (201, 200):
        process = subprocess.Popen(
            [*argv, str(tmp_path / "venue.sqlite3")],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        with httpx.Client(base_url=url, trust_env=False) as client:
            assert order(client, key="k").status_code == status
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
