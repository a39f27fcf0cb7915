"""Spans through the OpenTelemetry SDK: to a collector in this process, and to a file as a collector writes it."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from google.protobuf.json_format import Parse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from icws_explore.analysis.spans import resource, spans
from icws_explore.capture import load
from icws_explore.cli.recordings.otlp import made_spans, send_spans, write_spans
from icws_explore.protocol.errors import CaptureError, ConnectError
from support.data_files import SESSIONS

HEALTHY = load(SESSIONS / "healthy.icws")
SPANS, ABOUT = spans(HEALTHY), resource(HEALTHY)


class Collector(ThreadingHTTPServer):
    """An OTLP collector over HTTP that keeps what it is sent."""

    def __init__(self, status=200):
        self.requests: list[ExportTraceServiceRequest] = []
        self.status = status
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.server_port}/v1/traces"

    def __enter__(self):
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.path == "/v1/traces"
        if self.server.status == 200:
            self.server.requests.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_):
        pass


def received(requests):
    return [
        span
        for request in requests
        for resource_spans in request.resource_spans
        for scope in resource_spans.scope_spans
        for span in scope.spans
    ]


class TestCollector:
    def test_gets_every_span_with_its_parent(self):
        with Collector() as collector:
            send_spans(SPANS, ABOUT, collector.endpoint)
        found = received(collector.requests)
        assert sorted(span.name for span in found) == sorted(span.name for span in SPANS)
        by_id = {span.span_id: span for span in found}
        session = next(span for span in found if span.name == "Client Session")
        assert by_id[session.parent_span_id].name == "Client Session Handler"
        assert len({span.trace_id for span in found}) == 1
        assert session.start_time_unix_nano == SPANS[1].start_ns
        assert session.end_time_unix_nano == SPANS[1].end_ns
        told = {
            each.key: each.value.string_value for each in collector.requests[0].resource_spans[0].resource.attributes
        }
        assert told["service.name"] == "ic-ws-gw-kebrh"
        assert told["icws.clock"] == "scaled × 100"

    def test_that_refuses_is_one_line(self):
        with Collector(status=400) as collector, pytest.raises(ConnectError, match="did not take the spans"):
            send_spans(SPANS, ABOUT, collector.endpoint)

    def test_that_is_not_there_is_one_line_without_credentials(self):
        with Collector() as collector:
            port = collector.server_port
        with pytest.raises(ConnectError) as raised:
            send_spans(SPANS, ABOUT, f"http://u:hunter2@127.0.0.1:{port}/v1/traces?key=hunter2", timeout_s=0.2)
        assert "hunter2" not in str(raised.value)


class TestFile:
    def test_is_lines_that_the_protocols_own_parser_reads(self, tmp_path):
        path = write_spans(SPANS, ABOUT, tmp_path / "s.jsonl")
        lines = path.read_text("utf-8").splitlines()
        told = [span for line in lines for span in _spans(json.loads(line))]
        assert {len(span["traceId"]) for span in told} == {32}
        assert {len(span["spanId"]) for span in told} == {16}
        for span in told:  # the specification's JSON has ids in hexadecimal, protobuf's in base64
            for name in ("traceId", "spanId", "parentSpanId"):
                span.pop(name, None)
        assert len(told) == len(SPANS)
        Parse(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": told}]}]}), ExportTraceServiceRequest())

    def test_many_spans_are_several_lines(self, tmp_path):
        path = write_spans(SPANS * 40, ABOUT, tmp_path / "s.jsonl")
        assert len(path.read_text().splitlines()) == 2

    def test_that_cannot_be_written(self, tmp_path):
        with pytest.raises(CaptureError, match="cannot write"):
            write_spans(SPANS, ABOUT, tmp_path / "nowhere" / "s.jsonl")


class TestMade:
    def test_errors_and_events_arrive(self):
        bad = load(SESSIONS / "tampered_body.icws")
        session = next(span for span in made_spans(spans(bad), resource(bad)) if span.name == "Client Session")
        assert [event.name for event in session.events] == ["handshake", "close"]


def _spans(line):
    return [span for each in line["resourceSpans"] for scope in each["scopeSpans"] for span in scope["spans"]]
