"""Records traces with OpenTelemetry, if an environment variable in ENDPOINTS is set.

If none is set, nothing of OpenTelemetry is imported. A trace leads from an HTTP request through SQL to the encoder's
batch: the setting `shop.traceparent` of a session names the trace, and the gateway stores this name with the request
that it queues. A span contains no text of a query, no product and no message of an error.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Literal

from db.errors import SettingsError

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
Kind = Literal["server", "client", "consumer"]

_tracer: "Tracer | None" = None


@contextmanager
def exporting(process: str) -> Iterator[None]:
    """Export the spans of this process until the context ends. At the end, export all spans that are left.

    Raises SettingsError if an endpoint is set and the packages are missing.
    """
    global _tracer
    if not any(os.environ.get(name) for name in ENDPOINTS):
        yield
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"OTEL_EXPORTER_OTLP_ENDPOINT is set, and traces need the package {error.name}",
            hint="Run: pip install 'windowshop[tracing]'",
        ) from error
    attributes = {"service.version": _version()}
    if not os.environ.get("OTEL_SERVICE_NAME"):
        attributes["service.name"] = f"windowshop-{process}"
    provider = TracerProvider(resource=Resource.create(attributes), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _tracer = provider.get_tracer("windowshop", _version())
    try:
        yield
    finally:
        _tracer = None
        provider.shutdown()


def is_on() -> bool:
    return _tracer is not None


@contextmanager
def span(
    name: str, kind: Kind, *, parent: str | None = None, attributes: Mapping[str, Any] | None = None
) -> Iterator["Span | None"]:
    """Record what happens in the context as a span, and yield the span, or None while no traces are recorded.

    `parent` is a traceparent of another process (W3C Trace Context). By default, the parent is the current
    span. An exception marks the span as failed, and the span gets the type of the exception.
    """
    if _tracer is None:
        yield None
        return
    from opentelemetry.trace import SpanKind, Status, StatusCode

    with _tracer.start_as_current_span(
        name,
        context=None if parent is None else _context(parent),
        kind=SpanKind[kind.upper()],
        attributes=attributes,
        record_exception=False,  # its message may quote the text of a query
        set_status_on_exception=False,
    ) as made:
        try:
            yield made
        except BaseException as error:
            made.set_attribute("error.type", type(error).__qualname__)
            made.set_status(Status(StatusCode.ERROR))
            raise


def record(name: str, kind: Kind, parent: str, began_ns: int, ended_ns: int, attributes: Mapping[str, Any]) -> None:
    """Record a span that has already ended. The times are nanoseconds since 1970."""
    if _tracer is None:
        return
    from opentelemetry.trace import SpanKind

    made = _tracer.start_span(
        name, context=_context(parent), kind=SpanKind[kind.upper()], attributes=attributes, start_time=began_ns
    )
    made.end(ended_ns)


def traceparent() -> str | None:
    """Return the current span as the parent of spans in other processes, or None outside a span."""
    if _tracer is None:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent")


def _context(parent: str) -> Any:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({"traceparent": parent})


def _version() -> str:
    try:
        return version("windowshop")
    except PackageNotFoundError:  # the code runs from a clone that is not installed
        return "unknown"
