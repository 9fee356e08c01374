"""Events: signed as Stripe signs them, delivered at least once, in no certain order."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
import stripe

from payments.sandbox.stripe import StripeSandbox
from tests.contracts.stripe_fixtures import client_of, intent_params, pay, taken

pytest_plugins = ["tests.contracts.stripe_fixtures"]

PAID = ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]


class Shop:
    """A webhook endpoint that remembers what it got and answers as it is told."""

    def __init__(self):
        self.got, self.answers = [], []
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                shop.got.append((body, self.headers["Stripe-Signature"], time.monotonic()))
                self.send_response(shop.answers.pop(0) if shop.answers else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/webhook"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def wait_for(self, count, seconds=10):
        until = time.monotonic() + seconds
        while len(self.got) < count and time.monotonic() < until:
            time.sleep(0.02)
        return self.types()

    def types(self):
        return [
            stripe.Webhook.construct_event(body, signature, "whsec_shop").type
            for body, signature, _ in self.got
        ]


@pytest.fixture
def shop():
    shop = Shop()
    yield shop
    shop.server.shutdown()
    shop.server.server_close()


@pytest.fixture
def delivering(shop):
    with StripeSandbox(":memory:", shop.url, "whsec_shop", settle_seconds=3600) as stand_in:
        yield stand_in


def test_events_are_verified_by_the_real_library(client, stand_in):
    intent = pay(client, metadata={"order": "5"})
    events = taken(stand_in)
    assert [event.type for event in events] == PAID
    assert events[-1].data.object["id"] == intent.id
    assert events[-1].data.object["metadata"]["order"] == "5"
    assert events[-1].request["id"] == intent.last_response.request_id
    assert stand_in.take_events() == [], "taken events count as delivered"


def test_a_wrong_secret_and_a_changed_byte_do_not_verify(client, stand_in):
    pay(client)
    payload, signature = stand_in.take_events()[0]
    for body, secret in ((payload, "whsec_other"), (payload + b" ", stand_in.webhook_secret)):
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(body, signature, secret)


def test_a_refused_call_leaves_no_event(client, stand_in):
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.create(intent_params(confirm=True))
    assert stand_in.events() == []


def test_events_are_delivered_in_the_background(delivering, shop):
    pay(client_of(delivering))
    assert sorted(shop.wait_for(3)) == sorted(PAID)


def test_an_undelivered_event_comes_again(delivering, shop):
    shop.answers = [500]
    client_of(delivering).v1.customers.create()
    assert shop.wait_for(2) == ["customer.created", "customer.created"]
    assert shop.got[1][2] - shop.got[0][2] > 0.9, "it backs off"


def test_deliveries_back_off_and_are_given_up_after_three_days():
    now = [1_800_000_000.0]
    with StripeSandbox(":memory:", clock=lambda: now[0]) as stand_in:
        client_of(stand_in).v1.customers.create()
        nobody = "http://127.0.0.1:9/webhook"
        for wait in (1, 2, 5, 15, 60, 300, 900):
            assert stand_in.flush(nobody) == {"delivered": 0, "failed": 1}
            now[0] += wait - 0.5
            assert stand_in.flush(nobody) == {"delivered": 0, "failed": 0}
            now[0] += 0.5
        now[0] += 3 * 86_400
        assert stand_in.flush(nobody)["failed"] == 1
        assert stand_in.take_events(include_delayed=True) == []


def test_a_redirect_is_a_failure_and_is_not_followed(delivering, shop):
    shop.answers = [302]
    client_of(delivering).v1.customers.create()
    assert shop.wait_for(2) == ["customer.created", "customer.created"]


def test_a_dropped_event_exists_and_never_arrives(client, stand_in):
    stand_in.fault("events", "drop", type="payment_intent.succeeded")
    pay(client)
    assert [event.type for event in taken(stand_in)] == PAID[:2]
    assert stand_in.events("payment_intent.succeeded") != []
    stand_in.redeliver(stand_in.events("payment_intent.succeeded")[0]["id"])
    assert [event.type for event in taken(stand_in)] == PAID[2:]


def test_a_duplicated_event_arrives_twice_with_one_id(client, stand_in):
    stand_in.fault("events", "duplicate", times=3)
    pay(client)
    ids = [event.id for event in taken(stand_in)]
    assert (len(ids), len(set(ids))) == (6, 3)


def test_a_delayed_event_waits(client, stand_in):
    stand_in.fault("events", "delay", seconds=3600, type="charge.*")
    pay(client)
    assert [event.type for event in taken(stand_in)] == [PAID[0], PAID[2]]
    late = taken(stand_in, include_delayed=True)
    assert [event.type for event in late] == [PAID[1]]


def test_reordered_events_come_in_the_opposite_order(client, stand_in):
    stand_in.fault("events", "reorder", times=3)
    pay(client)
    assert [event.type for event in taken(stand_in)] == PAID[::-1]


def test_reordered_events_are_delivered_in_the_opposite_order(delivering, shop):
    delivering.fault("events", "reorder", times=3)
    pay(client_of(delivering))
    assert shop.wait_for(3) == PAID[::-1]


def test_events_can_be_listed_and_retrieved(client, stand_in):
    intent = pay(client)
    page = client.v1.events.list({"type": "payment_intent.succeeded"})
    assert [event.data.object["id"] for event in page.data] == [intent.id]
    assert client.v1.events.retrieve(page.data[0].id).type == "payment_intent.succeeded"
    several = client.v1.events.list({"types": PAID[:2]})
    assert {event.type for event in several.data} == set(PAID[:2])
    newest = client.v1.events.list({"types": PAID[:1], "limit": 1})
    assert [event.type for event in newest.data] == PAID[:1]


def test_undelivered_events_outlive_a_restart(tmp_path, shop):
    path = tmp_path / "stripe.sqlite3"
    with StripeSandbox(path) as stand_in:
        client_of(stand_in).v1.customers.create()
    with StripeSandbox(path, shop.url, "whsec_shop"):
        assert shop.wait_for(1) == ["customer.created"]


def test_the_controls_do_over_http_what_they_do_from_python(client, stand_in, shop):
    controls = httpx.Client(base_url=f"{stand_in.url}/_sandbox")
    fault = {"kind": "events", "action": "delay", "seconds": 3600, "times": 9}
    controls.post("/faults", json=fault).raise_for_status()
    intent = pay(client, "pm_card_authenticationRequired")
    assert controls.get("/faults").json()["faults"][0]["remaining"] == 7
    controls.delete("/faults").raise_for_status()
    answer = controls.post(
        f"/payment_intents/{intent.id}/authenticate", json={"outcome": "success"}
    )
    assert answer.json()["status"] == "succeeded"
    found = controls.get("/events", params={"type": "payment_intent.succeeded"}).json()["events"]
    assert found[0]["deliveries"][0]["state"] == "queued"
    sent = controls.post("/flush", json={"url": shop.url, "all": True}).json()
    assert (sent["delivered"], len(shop.got)) == (4, 4)
    controls.post(f"/events/{found[0]['event']['id']}/redeliver").raise_for_status()
    assert controls.post("/flush", json={"url": shop.url}).json()["delivered"] == 1
    calls = controls.get("/calls", params={"method": "POST", "status": "200"}).json()["calls"]
    assert [call["path"] for call in calls] == ["/v1/payment_intents"]
    assert controls.post("/settle").json() == {"settled": 1}
    disputed = pay(client, "pm_card_createDispute")
    dispute = client.v1.disputes.list({"payment_intent": disputed.id}).data[0]
    closed = controls.post(f"/disputes/{dispute.id}/close", json={"status": "won"})
    assert closed.json()["status"] == "won"


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "events", "action": "status"},
        {"kind": "htpp", "action": "delay"},
        {"kind": "http", "action": "delay", "time": 2},
        {"kind": "http", "action": "delay", "times": 0},
        {"kind": "http", "action": "status", "status": 200},
        {"kind": "http", "action": "delay", "seconds": -1},
    ],
)
def test_a_misspelt_fault_is_refused(stand_in, fault):
    assert httpx.post(f"{stand_in.url}/_sandbox/faults", json=fault).status_code == 400
    with pytest.raises(ValueError, match=r"must|unknown"):
        stand_in.fault(**fault)
