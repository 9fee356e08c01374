"""One line for each request and task, with one id from the web to the task."""

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from common.logs import json_formatter
from common.outbox.models import OutboxMessage
from tests.factories.orders import place
from tests.factories.shop import ProductFactory

pytestmark = pytest.mark.django_db(transaction=True)


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(json_formatter())
        self.found: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(json.loads(self.format(record)))

    def of(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.found if line["event"] == event]


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler = Lines()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


def test_a_request_is_one_line(lines: Lines, api: APIClient, customer: Any) -> None:
    answer = api.get("/api/v1/orders/none/?q=personal", headers={"X-Request-ID": "my-own-id-1"})
    assert answer.status_code == 404
    (line,) = lines.of("request")
    assert line["route"] == "/api/v1/orders/<slug:number>/"
    assert (line["method"], line["status"]) == ("GET", answer.status_code)
    assert (line["user"], line["request_id"]) == (str(customer.uid), "my-own-id-1")
    assert line["duration_ms"] > 0
    assert "personal" not in json.dumps(lines.found)


def test_strangers_and_unknown_routes(lines: Lines) -> None:
    Client().get("/nothing/secret-path")
    (line,) = lines.of("request")
    assert (line["route"], line["status"]) == ("none", 404)
    assert "user" not in line
    assert "secret-path" not in json.dumps(lines.found)


def test_probes_are_not_worth_a_line(lines: Lines) -> None:
    Client().get("/livez")
    assert lines.of("request") == []


def test_one_id_goes_from_the_web_through_the_outbox_into_the_task(
    lines: Lines, api: APIClient, sandbox: Any, drain: Callable[..., int]
) -> None:
    ProductFactory(slug="oak", stock=3)
    api.credentials(**api._credentials, HTTP_X_REQUEST_ID="from-web-to-task")
    order = place(api, ("oak", 1))
    confirm = f"/api/v1/payments/{order['payment']['id']}/confirm/"
    assert api.post(confirm, {"payment_method": "pm_card_visa"}, format="json").status_code == 202
    drain()
    assert set(OutboxMessage.objects.values_list("request_id", flat=True)) == {"from-web-to-task"}
    tasks = lines.of("task")
    assert tasks
    assert {line["request_id"] for line in tasks} == {"from-web-to-task"}
    assert {line["outcome"] for line in tasks} <= {"done", "postponed"}
