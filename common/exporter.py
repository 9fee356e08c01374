"""The one module that knows OpenTelemetry; its packages are the extra `tracing`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags


class Exporter:
    """Sends spans to a collector by OTLP over HTTP, from a thread of its own.

    A collector that is away costs spans and no request.
    """

    def __init__(self, url: str) -> None:
        self.provider = TracerProvider(resource=Resource.create({"service.name": "souk"}))
        target = OTLPSpanExporter(endpoint=f"{url.rstrip('/')}/v1/traces", timeout=5)
        self.provider.add_span_processor(BatchSpanProcessor(target))
        self._tracer = self.provider.get_tracer("souk")

    @contextmanager
    def span(self, name: str, trace_id: int, facts: Mapping[str, str | int]) -> Iterator[None]:
        """A child of the running span of this trace, or the first of this process in it."""
        running = trace.get_current_span().get_span_context()
        parent = None if running.trace_id == trace_id else _root(trace_id)
        with self._tracer.start_as_current_span(name, parent, attributes=facts):
            yield


def _root(trace_id: int) -> Context:
    """What all processes take for the parent of their first span."""
    own = (trace_id & (2**64 - 1)) or 1
    known = SpanContext(trace_id, own, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    return trace.set_span_in_context(NonRecordingSpan(known))
