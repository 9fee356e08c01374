"""Traces: off without a collector, one trace for a request and its tasks, whole or not at all."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from common import context, outside, tracing

ID = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def in_request() -> Iterator[None]:
    token = context.request_id.set(ID)
    yield
    context.request_id.reset(token)


@pytest.fixture
def collector(settings: Any) -> Iterator[list[bytes]]:
    """What was sent to a collector on the loopback."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.TRACES_URL = f"http://127.0.0.1:{server.server_port}"
    settings.TRACES_SHARE = 1.0
    tracing._exporter.cache_clear()
    yield bodies
    tracing._exporter.cache_clear()
    server.shutdown()


def sent(settings: Any) -> None:
    assert tracing._exporter(settings.TRACES_URL).provider.force_flush()


def spans(bodies: list[bytes]) -> list[Any]:
    found = (ExportTraceServiceRequest.FromString(body) for body in bodies)
    return [
        span
        for each in found
        for resource in each.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def test_without_a_collector_nothing_is_loaded(settings: Any, in_request: None) -> None:
    settings.TRACES_URL = ""
    tracing._exporter.cache_clear()
    with tracing.span("request"):
        assert tracing._exporter("") is None


@pytest.mark.usefixtures("in_request")
class TestWithACollector:
    def test_the_trace_is_the_requests_id(self, collector: list[bytes], settings: Any) -> None:
        with tracing.span("request", method="GET"), tracing.span("stripe POST", peer="stripe"):
            pass
        sent(settings)
        inner, outer = spans(collector)
        assert {inner.trace_id.hex(), outer.trace_id.hex()} == {ID}
        assert inner.parent_span_id == outer.span_id
        named = {pair.key: pair.value.string_value for pair in inner.attributes}
        assert named == {"request_id": ID, "peer": "stripe"}

    def test_a_task_is_in_the_trace_of_its_request(
        self, collector: list[bytes], settings: Any
    ) -> None:
        with tracing.span("request"):
            pass
        # In another process, later: all that it has is the message's request id.
        with tracing.span("task payments.stripe.sync_intent", attempt=1):
            pass
        sent(settings)
        assert {span.trace_id.hex() for span in spans(collector)} == {ID}

    def test_an_error_is_seen_and_goes_on(self, collector: list[bytes], settings: Any) -> None:
        with pytest.raises(ValueError, match="no"), tracing.span("request"):
            raise ValueError("no")
        sent(settings)
        [span] = spans(collector)
        assert span.status.code == 2

    def test_a_share_of_none_sends_none(self, collector: list[bytes], settings: Any) -> None:
        settings.TRACES_SHARE = 0.0
        with tracing.span("request"):
            pass
        sent(settings)
        assert collector == []


def test_an_id_of_another_form_has_a_trace_as_well() -> None:
    assert tracing.trace_id("order-12345678") == tracing.trace_id("order-12345678")
    assert tracing.trace_id("order-12345678") != tracing.trace_id("order-12345679")
    assert 0 < tracing.trace_id("0" * 32) < 2**128


def test_about_the_share_is_kept_and_one_id_is_always_treated_alike() -> None:
    ids = [f"request-{n:08}" for n in range(4000)]
    kept = [i for i in ids if tracing.is_kept(i, 0.25)]
    assert 800 < len(kept) < 1200
    assert all(tracing.is_kept(i, 0.25) for i in kept)


def test_the_request_id_goes_out_with_calls(in_request: None) -> None:
    assert outside.headers() == {"X-Request-ID": ID}
