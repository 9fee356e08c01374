"""Price streams out of a WSGI server's threads, as `make run` serves them."""

import pytest
from django.test import Client

from payments.market.live import inline as prices
from tests.factories.market import priced
from tests.races.test_stream_inline import loop

__all__ = ["loop"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("loop")]


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prices.streams, "hub", None)


def test_a_stream_tells_the_prices_as_they_are_and_as_they_become() -> None:
    priced("bitcoin", "40000")
    answer = Client().get("/api/v1/market/stream/", {"coin": "btc", "events": 2})
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/event-stream")
    heard = iter(answer.streaming_content)
    assert next(heard).startswith(b"retry:")
    assert b'"price":"40000"' in next(heard)
    priced("bitcoin", "41000")
    rest = b"".join(heard)
    assert rest.count(b"event: price") == 1
    assert b'"price":"41000"' in rest


def test_few_listen_and_who_leaves_makes_room() -> None:
    assert prices.streams.most == 1
    first = Client().get("/api/v1/market/stream/")
    heard = iter(first.streaming_content)
    next(heard), next(heard)
    assert Client().get("/api/v1/market/stream/").status_code == 503
    first.close()
    assert prices.streams.listeners == 0
