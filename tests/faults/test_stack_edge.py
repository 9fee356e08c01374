"""What nginx is for: slow clients wait there, addresses are true, streams flow, files are kept."""

import gzip
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import httpx
import pytest

from tests.factories.flash import live_run
from tests.factories.shop import ProductFactory
from tests.faults.processes import servers
from tests.faults.stacked import Stack, environment_for
from tests.sizes import sized

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(1200)]

SLOW = 500
CALLS = sized(150, 600)
BODY = 2000


@pytest.fixture(scope="module")
def edge(tmp_path_factory: Any, django_db_setup: None) -> Iterator[Stack]:
    """One for all, with production's own settings: limits and static files as they are there."""
    folder = tmp_path_factory.mktemp("edge")
    redis = servers.start_redis(folder / "redis")
    environment = environment_for(redis.url, "http://127.0.0.1:1") | {
        "DJANGO_SETTINGS_MODULE": "config.settings.production",
        "RATE_LIMIT_FACTOR": "1000",
    }
    made = Stack(folder / "stack", environment, together=True)
    made.collect_static()
    made.start(["web-1", "web-2", "stream"])
    made.start_nginx()
    yield made
    made.kill()
    redis.stop()


@contextmanager
def slow_clients(port: int, count: int = SLOW) -> Iterator[list[socket.socket]]:
    """Half of them never end their header, the others send a body that does not go on."""
    header = b"POST /api/v1/auth/token/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    body = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n{" % BODY
    links = []
    try:
        for number in range(count):
            link = socket.create_connection(("127.0.0.1", port), timeout=5)
            link.sendall(header + (body if number % 2 else b"X-Slow: "))
            links.append(link)
        yield links
    finally:
        for link in links:
            link.close()


def median(url: str, calls: int = CALLS, *, timeout: float = 20) -> float:
    """Seconds of a catalogue page, to two clients at once."""
    times: list[float] = []

    def ask() -> None:
        with httpx.Client(base_url=url, timeout=timeout, trust_env=False) as client:
            for _ in range(calls // 2):
                started = time.monotonic()
                try:
                    client.get("/api/v1/products/").raise_for_status()
                    times.append(time.monotonic() - started)
                except httpx.HTTPError:
                    times.append(timeout)
                    return

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statistics.median(times)


@pytest.mark.at_length("nothing: it is about time, of which a busy machine has none")
@pytest.mark.proof(
    "500 slow clients",
    size=f"{SLOW} half-open connections",
    control="test_control_without_nginx_slow_clients_stop_the_others",
)
def test_slow_clients_do_not_slow_the_others(edge: Stack, record_property: Any) -> None:
    ProductFactory(stock=1)
    alone, beside = [], []
    for _ in range(3):
        alone.append(median(edge.url))
        with slow_clients(edge.port):
            beside.append(median(edge.url))
    ratio = statistics.median(beside) / statistics.median(alone)
    record_property("shown", f"a page beside {SLOW} slow clients takes {ratio:.2f} times as long")
    assert ratio < 2


@pytest.mark.at_length("the same")
def test_control_without_nginx_slow_clients_stop_the_others(edge: Stack) -> None:
    ProductFactory(stock=1)
    port = edge.web["web-1"]
    url = f"http://127.0.0.1:{port}"
    alone = median(url)
    with slow_clients(port):
        beside = median(url, calls=4, timeout=5)
    assert beside / alone > 2


def left(edge: Stack, source: str = "127.0.0.1", **headers: str) -> int:
    """Requests that this address has left in this minute, as the shop counts them."""
    transport = httpx.HTTPTransport(local_address=source)
    with httpx.Client(transport=transport, base_url=edge.url, timeout=60) as client:
        # Pages of the catalogue are shown again uncounted.
        answer = client.get("/api/v1/tokens/", headers=headers)
        return int(answer.headers["RateLimit-Remaining"])


def in_one_minute(look: Callable[[int], bool]) -> bool:
    """Whether it is so at one of three looks: a new minute begins a new count."""
    return any(look(number) for number in range(3))


def test_a_client_cannot_make_up_its_address(edge: Stack) -> None:
    """One count for all of them: what they claim in front of us is nobody's address."""

    def counted_together(_: int) -> bool:
        made_up = [f"203.0.113.{number}" for number in range(4)]
        seen = [left(edge, **{"X-Forwarded-For": each, "X-Real-IP": each}) for each in made_up]
        return seen == [seen[0] - n for n in range(4)]

    assert in_one_minute(counted_together)


def test_two_clients_are_two_addresses(edge: Stack) -> None:
    def counted_apart(number: int) -> bool:
        one, other = f"127.0.1.{number}", f"127.0.2.{number}"
        first = left(edge, one)
        return left(edge, other) == first and left(edge, one) == first - 1

    assert in_one_minute(counted_apart)


def test_the_request_id_goes_through_to_the_shop_and_back(edge: Stack) -> None:
    own = httpx.get(edge.url + "/livez", headers={"X-Request-ID": "from-a-client-1"})
    assert own.headers["X-Request-ID"] == "from-a-client-1"
    bad = httpx.get(edge.url + "/livez", headers={"X-Request-ID": "no good"})
    assert len(bad.headers["X-Request-ID"]) == 32


def test_a_stream_is_not_collected(edge: Stack) -> None:
    run = live_run(units=5)
    path = f"/api/v1/flash-sales/{run.sale.slug}/stream/"
    # Collected, it would come when a buffer is full, which is after hours.
    with httpx.stream("GET", edge.url + path, timeout=60, trust_env=False) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        first = next(line for line in answer.iter_lines() if line.startswith("data:"))
    assert '"remaining": 5' in first or '"remaining":5' in first


def test_static_files_are_compressed_and_kept(edge: Stack) -> None:
    url = edge.url + "/static/admin/css/base.css"
    packed = {"Accept-Encoding": "gzip"}
    first, second = (httpx.get(url, headers=packed, trust_env=False) for _ in range(2))
    assert first.status_code == 200
    assert second.headers["Content-Encoding"] == "gzip"
    assert second.headers["X-Cache"] == "HIT"
    plain = httpx.get(url, headers={"Accept-Encoding": "identity"}, trust_env=False)
    assert "Content-Encoding" not in plain.headers
    assert plain.content == second.content
    with closing(socket.create_connection(("127.0.0.1", edge.port))) as link:
        link.sendall(
            b"GET /static/admin/css/base.css HTTP/1.0\r\nHost: 127.0.0.1\r\n"
            b"Accept-Encoding: gzip\r\n\r\n"
        )
        raw = b"".join(iter(lambda: link.recv(65536), b""))
    assert gzip.decompress(raw.partition(b"\r\n\r\n")[2]) == plain.content


def test_what_is_not_for_the_world_is_not_there(edge: Stack) -> None:
    assert httpx.get(edge.url + "/metrics", trust_env=False).status_code == 404
    direct = httpx.get(f"http://127.0.0.1:{edge.web['web-1']}/metrics", trust_env=False)
    assert "souk_database_up 1.0" in direct.text


def test_a_body_that_is_too_large_is_refused_by_the_shop_itself(edge: Stack) -> None:
    answer = httpx.post(edge.url + "/api/v1/auth/token/", content=b"x" * 300_000, trust_env=False)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
