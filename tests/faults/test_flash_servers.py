"""Flash runs bought through several server processes: crowds, a kill, and hosts' wrong clocks."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import httpx
import pytest

from common import clock
from config import invariants
from shop.flash_sales.models import FlashRun
from tests.factories.flash import live_run
from tests.faults.processes import Shop, wait_until
from tests.faults.rush import Crowd, kept, ordered, signed_in, taken
from tests.sizes import LOOSE, PROVE, sized

pytestmark = pytest.mark.timeout(3600 if PROVE else 900)

# people, units, quantities
RUSHES = [
    (sized(60, 1_000), sized(20, 100), (1,)),
    (sized(40, 200), 1, (1,)),
    (sized(30, 900), sized(40, 1_000), (1,)),
    (sized(40, 500), sized(30, 300), (1, 2, 3)),
]
REFUSED = {(409, "sold_out")}


def servers(shop: Shop, **switches: str) -> list[str]:
    names = ("web", "second", *(("third",) if PROVE else ()))
    return [shop.start_web(name, FAULT_NO_STRIPE="1", **switches) for name in names]


def calls(people: int, quantities: Sequence[int] = (1,)) -> list[tuple[str, int]]:
    wanted = (quantities[number % len(quantities)] for number in range(people))
    return list(zip(signed_in(people), wanted, strict=True))


@pytest.mark.proof(
    "Flash run through several servers: exactly min(stock, demand)",
    size="; ".join(f"{people} buyers of {units} units" for people, units, _ in RUSHES),
    control="test_control_with_a_counter_several_servers_sell_too_many",
    runs=20,
)
def test_several_servers_sell_exactly_what_there_is(shop: Shop) -> None:
    urls = servers(shop)
    for people, units, quantities in RUSHES:
        run = live_run(units=units)
        crowd, wanted = Crowd(urls, run.sale.slug), calls(people, quantities)
        crowd.rush(wanted)
        demand = sum(quantity for _, quantity in wanted)
        assert set(crowd.answers) <= {(201, "bought"), *REFUSED}, crowd.answers
        assert crowd.lost == [], crowd.why
        assert taken(run) == ordered(run) == min(units, demand)
        assert kept(crowd)
    assert invariants.breaches() == []


def test_control_with_a_counter_several_servers_sell_too_many(shop: Shop) -> None:
    """A count of what is sold, read and then written to."""
    run = live_run(units=1)
    crowd = Crowd(servers(shop, FAULT_COUNTER="1"), run.sale.slug)
    crowd.rush(calls(20))
    assert ordered(run) > 1
    assert not kept(crowd)


@pytest.mark.proof(
    "SIGKILL of a web server in a flash sale",
    size=f"{sized(60, 600)} buyers of {sized(30, 300)} units",
    control="test_control_with_a_counter_several_servers_sell_too_many",
    runs=5,
)
def test_a_server_killed_in_the_rush_costs_no_unit(shop: Shop) -> None:
    units = sized(30, 300)
    run, urls = live_run(units=units), servers(shop)
    crowd = Crowd(urls, run.sale.slug)

    def kill(bought: int) -> None:
        if bought >= units // 4 and "second" in shop.running:
            shop.kill("second")

    crowd.rush(calls(sized(60, 600)), seen=kill)
    assert crowd.lost
    assert set(crowd.answers) <= {(201, "bought"), *REFUSED}
    assert kept(crowd)
    shop.start_web("second", FAULT_NO_STRIPE="1")
    again, crowd.lost = crowd.lost, []
    crowd.connect()
    crowd.rush([*again, *calls(units)])

    def all_bought() -> bool:
        """What the gate had given to the dead server is on sale again after a few seconds."""
        crowd.rush(calls(units - ordered(run)))
        return ordered(run) == units

    wait_until(all_bought, seconds=20 * LOOSE)
    assert crowd.lost == []
    assert taken(run) == units
    assert kept(crowd)
    assert invariants.breaches() == []


def starts_in(run: FlashRun, **after: float) -> None:
    run.starts_at = clock.now() + timedelta(**after)
    run.save(update_fields=["starts_at"])


def bought_on(url: str, run: FlashRun, token: str) -> tuple[int, str]:
    answer = httpx.post(
        f"{url}/api/v1/flash-sales/{run.sale.slug}/purchases/",
        json={"quantity": 1, "payment": {"method": "stripe"}},
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
        trust_env=False,
    )
    body: Any = answer.json()
    return answer.status_code, body.get("code", "bought")


def two_clocks(shop: Shop, **switches: str) -> tuple[str, str]:
    """A server whose host is 90 seconds ahead, and one that is as far behind."""
    switches["FAULT_NO_STRIPE"] = "1"
    ahead = shop.start_web("web", FAULT_CLOCK="90", **switches)
    return ahead, shop.start_web("second", FAULT_CLOCK="-90", **switches)


@pytest.mark.proof(
    "Web hosts' clocks 90 s off",
    size="2 servers, one ahead and one behind",
    control="test_control_by_the_hosts_clocks_one_sells_early_and_one_late",
)
def test_the_databases_clock_decides_whatever_the_hosts_say(shop: Shop) -> None:
    urls, people = two_clocks(shop), signed_in(4)
    run = live_run(units=9)
    starts_in(run, seconds=60)
    early = [bought_on(url, run, token) for url, token in zip(urls, people[:2], strict=True)]
    assert early == [(409, "sale_not_started")] * 2
    starts_in(run, seconds=0)
    wait_until(lambda: clock.now() > run.starts_at, seconds=5 * LOOSE)
    late = [bought_on(url, run, token) for url, token in zip(urls, people[2:], strict=True)]
    assert late == [(201, "bought")] * 2


def test_control_by_the_hosts_clocks_one_sells_early_and_one_late(shop: Shop) -> None:
    (ahead, behind), people = two_clocks(shop, FAULT_HOST_CLOCK="1"), signed_in(2)
    run = live_run(units=9)
    starts_in(run, seconds=60)
    assert bought_on(ahead, run, people[0]) == (201, "bought")
    starts_in(run, seconds=-10)
    status, _ = bought_on(behind, run, people[1])
    assert status == 409
