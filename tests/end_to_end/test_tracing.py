"""One trace goes from an HTTP request through SQL to the batch of an encoder. The encoder is another process."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from db.engine import Database
from db.errors import EncoderUnavailable
from db.roles import Role
from tests.support.http_load import service
from tests.support.processes import ROOT, free_port, running_encoder, wait_until, windowshop
from tests.support.shop import Shop

pytest.importorskip("opentelemetry.sdk")
Environment = Callable[[Database], dict[str, str]]
SECRET = "xylophone"
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"  # the span of a client of the web service


class Receiver:
    """An OpenTelemetry collector that keeps the spans, each with the name of its service."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Any]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

                sent = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
                for group in sent.resource_spans:
                    service = {one.key: one.value.string_value for one in group.resource.attributes}["service.name"]
                    receiver.spans += [(service, span) for scope in group.scope_spans for span in scope.spans]
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def of_trace(self, trace: str) -> dict[str, Any]:
        """Returns the spans of a trace by service and name."""
        return {f"{service} {span.name}": span for service, span in self.spans if span.trace_id.hex() == trace}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = Thread(target=made.server.serve_forever, args=(0.05,))
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


@pytest.mark.deploy
def test_a_trace_goes_from_http_through_sql_to_the_batch_of_the_encoder(
    clip_database: Database, environment: Environment, receiver: Receiver, tmp_path: Path
) -> None:
    env = environment(clip_database) | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{receiver.server.server_port}",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    port = free_port()
    with running_encoder(env, tmp_path / "encoder"), service(env, tmp_path / "web", port):
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            asked = client.post("/search/text", json={"query": SECRET}, headers={"traceparent": CALLER})
            assert asked.status_code == 200
            client.get(f"/{SECRET}", headers={"traceparent": CALLER.replace("0af7", "1af7")})
            client.get("/health", headers={"traceparent": CALLER.replace("0af7", "2af7")})
        trace, caller = CALLER.split("-")[1:3]
        encoding = "windowshop-encoder encode queries"
        wait_until(lambda: encoding in receiver.of_trace(trace), 30, "the span of the encoder")
        wait_until(lambda: len(receiver.of_trace(trace)) == 3, 30, "the spans of the web service")
    spans = receiver.of_trace(trace)
    request, statement = spans["windowshop-web POST /search/text"], spans["windowshop-web postgresql"]
    batch = spans[encoding]
    assert request.parent_span_id.hex() == caller
    assert statement.parent_span_id == request.span_id
    assert batch.parent_span_id == statement.span_id
    assert request.start_time_unix_nano <= batch.start_time_unix_nano <= batch.end_time_unix_nano
    assert {one.key: one.value.int_value for one in batch.attributes}["windowshop.batch.size"] == 1
    other = trace.replace("0af7", "1af7")
    wait_until(lambda: list(receiver.of_trace(other)) == ["windowshop-web GET unmatched"], 30, "the span of a 404")
    assert receiver.of_trace(trace.replace("0af7", "2af7")) == {}  # a probe has no span
    assert SECRET not in str(receiver.spans)


@pytest.mark.deploy
def test_a_failed_request_has_a_failed_span_without_the_message(
    clip_database: Database, environment: Environment, receiver: Receiver, tmp_path: Path
) -> None:
    """Without an encoder, a search by inputs fails."""
    env = environment(clip_database) | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{receiver.server.server_port}",
    }
    port = free_port()
    with service(env, tmp_path / "web", port) as process:
        body = {"inputs": [{"text": SECRET}]}
        asked = httpx.post(f"http://127.0.0.1:{port}/search", json=body, headers={"traceparent": CALLER}, timeout=60)
        assert asked.status_code == 503
        process.terminate()
        assert process.wait(60) == 0  # before it ends, the process sends its last spans
    statement = receiver.of_trace(CALLER.split("-")[1])["windowshop-web postgresql"]
    assert statement.status.code == 2
    assert {one.key: one.value.string_value for one in statement.attributes}["error.type"] == "EncoderUnavailable"
    assert not statement.events
    assert SECRET not in str(receiver.spans)


@pytest.mark.parametrize(("given", "kept"), [(CALLER, CALLER), ("'; drop table x", None), (f"{CALLER} ", None)])
def test_an_sql_session_may_set_its_trace_and_a_text_that_is_no_trace_is_ignored(
    shop: Shop, given: str, kept: str | None, together: Callable[..., list[Any]]
) -> None:
    def ask() -> None:
        with shop.database.connect(Role.ANALYST) as analyst:
            analyst.execute(text("select set_config('shop.traceparent', :given, false)"), {"given": given})
            analyst.execute(text("set shop.timeout_ms = 3000"))
            with pytest.raises(EncoderUnavailable):
                analyst.execute(text("select shop.clip_text('a')"))

    def look() -> str | None:
        wait_until(lambda: shop.run("select from shop_private.request"), 3, "the request")
        trace: str | None = shop.value("select trace from shop_private.request")
        shop.run("update shop_private.request set error = 'refused'")
        return trace

    with shop.encoder(answers=False):
        assert together(ask, look)[1] == kept


@pytest.mark.deploy
def test_nothing_of_opentelemetry_is_imported_while_its_variables_are_unset() -> None:
    code = """
import sys
from db import tracing
import windowshop.main, windowshop.output.encoding
from db.engine import open_database
from db.settings import Settings
from web.app import make_app
from web.http.metrics import Metrics
from web.settings import WebSettings
with tracing.exporting("web"), tracing.span("GET", "server"):
    with open_database(Settings(database_url="postgresql://x@127.0.0.1:9/shop")) as database:
        make_app(database, WebSettings(mcp="off"), Metrics())  # the SDK of MCP imports OpenTelemetry's interface
print(sorted(name for name in sys.modules if name.startswith("opentelemetry")))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.deploy
def test_an_endpoint_without_the_packages_is_an_error(
    clip_database: Database, environment: Environment, tmp_path: Path
) -> None:
    (tmp_path / "opentelemetry").mkdir()
    (tmp_path / "opentelemetry" / "__init__.py").write_text("raise ModuleNotFoundError(name='opentelemetry')")
    env = environment(clip_database) | {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.argv = ['windowshop', 'serve']; "
    code += "from windowshop.main import main; main()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "traces need the package opentelemetry" in done.stderr
    assert "pip install 'windowshop[tracing]'" in done.stderr
    assert windowshop("settings", env=env).returncode == 0  # this command records no traces
