"""Spans to OpenTelemetry: to a collector over HTTP, or to a file of OTLP JSON lines.

Everything goes through the OpenTelemetry SDK (``pip install "icws_explore[otlp]"``). The file has one line for each
batch, in the form that a collector's file exporter writes and its file receiver reads.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from icws_explore.analysis.spans import Attribute, Span
from icws_explore.protocol.credentials import shown_url, without_credentials
from icws_explore.protocol.errors import CaptureError, ConnectError, IcwsError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

OTLP_EXTRA: Final = 'this needs the OpenTelemetry SDK: pip install "icws_explore[otlp]"'
_BATCH: Final = 512  # spans
_IDS: Final = ("traceId", "spanId", "parentSpanId")  # OTLP writes them in hexadecimal, protobuf's JSON in base64
_SCOPE: Final = "icws_explore"


def write_spans(spans: Sequence[Span], resource: Mapping[str, Attribute], path: str | os.PathLike[str]) -> Path:
    """Write OTLP JSON lines and return the path. Raises CaptureError, IcwsError without the SDK."""
    try:
        from google.protobuf.json_format import MessageToDict
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
    except ImportError as error:
        raise IcwsError(OTLP_EXTRA) from error
    target = Path(path)
    try:
        with target.open("w", encoding="utf-8") as stream:
            for batch in _batches(spans, resource):
                members = MessageToDict(encode_spans(batch), use_integers_for_enums=True)
                stream.write(json.dumps(_with_hex(members), ensure_ascii=False) + "\n")
    except OSError as error:
        raise CaptureError(f"cannot write {target}: {error.strerror or error}") from error
    return target


def send_spans(
    spans: Sequence[Span], resource: Mapping[str, Attribute], endpoint: str, *, timeout_s: float = 10.0
) -> None:
    """Send the spans to a collector, such as http://127.0.0.1:4318/v1/traces. Raises ConnectError, IcwsError."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import SpanExportResult
    except ImportError as error:
        raise IcwsError(OTLP_EXTRA) from error
    exporter = OTLPSpanExporter(endpoint=endpoint, timeout=timeout_s)
    try:
        for batch in _batches(spans, resource):
            if exporter.export(batch) is not SpanExportResult.SUCCESS:
                raise ConnectError(f"the collector at {shown_url(endpoint)} did not take the spans: is it running?")
    except OSError as error:
        raise ConnectError(
            f"cannot reach the collector at {shown_url(endpoint)}: {without_credentials(str(error))}"
        ) from error
    finally:
        exporter.shutdown()  # type: ignore[no-untyped-call]


def _batches(spans: Sequence[Span], resource: Mapping[str, Attribute]) -> Iterator[Sequence[ReadableSpan]]:
    made = made_spans(spans, resource)
    return (made[start : start + _BATCH] for start in range(0, len(made), _BATCH))


def made_spans(spans: Sequence[Span], resource: Mapping[str, Attribute]) -> list[ReadableSpan]:
    """The spans as the SDK makes them. Raises IcwsError without the SDK."""
    try:
        from opentelemetry import trace
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider, sampling
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    except ImportError as error:
        raise IcwsError(OTLP_EXTRA) from error
    finished = InMemorySpanExporter()
    provider = TracerProvider(sampler=sampling.ALWAYS_ON, resource=Resource(dict(resource)), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(finished))
    tracer = provider.get_tracer(_SCOPE)
    made: list[trace.Span] = []
    for span in spans:
        above = None if span.parent is None else trace.set_span_in_context(made[span.parent])
        links = [trace.Link(made[place].get_span_context()) for place in span.follows]
        one = tracer.start_span(
            span.name,
            context=trace.set_span_in_context(trace.INVALID_SPAN) if above is None else above,
            attributes=dict(span.attributes),
            links=links,
            start_time=span.start_ns,
        )
        for name, at_ns, attributes in span.events:
            one.add_event(name, dict(attributes), timestamp=at_ns)
        if span.error is not None:
            one.set_status(trace.StatusCode.ERROR, span.error)
        made.append(one)
    for one, span in zip(made, spans, strict=True):
        one.end(end_time=span.end_ns)
    provider.shutdown()
    return list(finished.get_finished_spans())


def _with_hex(value: Any) -> Any:
    """The members of an OTLP message with its ids in hexadecimal."""
    if isinstance(value, list):
        return [_with_hex(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: base64.b64decode(item).hex() if name in _IDS and isinstance(item, str) else _with_hex(item)
        for name, item in value.items()
    }
