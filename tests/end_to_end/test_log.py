"""Without a terminal, all lines of a process are JSON, from the first line on, and no line has the text of a query.

On a terminal, the log is text.
"""

import io
import json
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import httpx
import numpy as np
import pytest
import structlog

from db.engine import Database
from encoder.lanes.queries import QueryLane
from tests.support.databases import admin
from tests.support.images import load_drawings
from tests.support.processes import Command, in_child, says, wait_until, windowshop
from windowshop.output import log as logs

Environment = Callable[[Database], dict[str, str]]
SECRET = "xylophone"  # a word of the queries
AUTO = {"WINDOWSHOP_LOG_FORMAT": "auto", "WINDOWSHOP_WEB_METRICS_PORT": "null"}


def parsed(said: str, process: str) -> list[dict[str, Any]]:
    """Returns the lines of a log, each of which must be JSON with the fields that all processes have."""
    lines = [json.loads(line) for line in said.splitlines()]
    assert lines
    for line in lines:
        assert line["process"] == process
        assert line.keys() >= {"timestamp", "level", "event"}, line
    return lines


@pytest.mark.deploy
def test_every_line_of_the_migrations_and_the_loader_and_the_encoder_and_web_is_json(
    clip_database: Database, environment: Environment, tmp_path: Path
) -> None:
    env = environment(clip_database) | AUTO
    (tmp_path / "goods.csv").write_text("sku,title\na,A shoe\n,no sku\n")
    for code, process, arguments, told in (
        (0, "migrations", ("db", "upgrade"), "The schema is up to date."),
        (6, "loader", ("load", "goods.csv"), "1 of 2 rows rejected, listed in goods.rejects.csv; the other 1 loaded"),
        (6, "loader", ("load", "gone.csv"), "cannot read gone.csv: No such file or directory"),
        (2, "loader", ("load", "--bogus"), "No such option: --bogus"),
        (0, "encoder", ("encode", "--once"), "Encoded 0 images and 1 titles"),
        (5, "encoder", ("encode", "--model", "gone"), "no such model, or retired: gone"),
    ):
        done = windowshop(*arguments, env=env, cwd=tmp_path)
        assert done.returncode == code, done.stderr
        lines = parsed(done.stdout + done.stderr, process)
        assert any(line["event"].startswith(told) for line in lines), lines
    wrong = windowshop("serve", env=env | {"WINDOWSHOP_WEB_PORT": "x"}, cwd=tmp_path)
    [line] = parsed(wrong.stderr, "web")
    assert line["event"].startswith("WINDOWSHOP_WEB_PORT: ")
    assert (line["level"], line["exit_code"], wrong.returncode) == ("error", 2, 2)
    format_ = windowshop("encode", env=env | {"WINDOWSHOP_LOG_FORMAT": "xml"}, cwd=tmp_path)
    assert "WINDOWSHOP_LOG_FORMAT: " in parsed(format_.stderr, "encoder")[0]["event"]


@pytest.mark.deploy
def test_no_line_of_web_and_encoder_has_the_text_of_a_query_even_if_the_query_fails(
    clip_database: Database, environment: Environment, tmp_path: Path
) -> None:
    load_drawings(clip_database, tmp_path / "images", 5)
    output = tmp_path / "log"
    env = environment(clip_database) | AUTO | {"WINDOWSHOP_WEB_API_KEYS": "off"}
    process = Command("up", "--port", "0", env=env, output=output, errors=output)
    try:
        wait_until(lambda: says(output, "encoder is ready") or process.poll() is not None, 60, "a ready encoder")
        address = output.read_text().split("The search page is at ")[1].split("/,")[0]
        with httpx.Client(base_url=address, timeout=60) as client:
            assert ask(client, f"{SECRET} one") == 200
            assert client.get("/", params={"q": SECRET}).status_code == 200
            assert client.get(f"/{SECRET}").status_code == 404
            assert ask(client, SECRET, top_k=-1) == 422
            assert ask(client, f"{SECRET}\0") // 100 == 4
            assert ask(client, f"{SECRET} " * 2000) // 100 == 4
            assert ask(client, SECRET, filter={SECRET: {"lt": "x"}}) // 100 == 4
            port = int(address.rsplit(":", 1)[1])
            with socket.create_connection(("127.0.0.1", port)) as raw:
                raw.sendall(f"GET /?q={SECRET} HTTP/9.9 {SECRET}\r\n{SECRET}\r\n\r\n".encode())
                raw.recv(1000)
            # The next query fails in the database. The error has the query's text in its message, detail and context.
            admin(
                clip_database,
                "alter function shop_private.query_vector rename to query_vector_gone; "
                "create function shop_private.query_vector(a smallint, b text, c bytea) returns halfvec "
                "language plpgsql as $$ begin raise exception using errcode = 'XX000', "
                "message = 'broken: ' || convert_from(c, 'UTF8'), detail = convert_from(c, 'UTF8'); end $$",
            )
            assert ask(client, f"{SECRET} two") == 500
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    said = output.read_text()
    lines = parsed(said, "up")
    assert SECRET not in said
    [unexpected] = [line for line in lines if line["event"] == "unexpected error"]
    assert "InternalError" in unexpected["exception"]
    assert "XX000" in unexpected["exception"]
    assert "web/api/search.py" in unexpected["exception"]


def ask(client: httpx.Client, query: str, **options: object) -> int:
    return client.post("/search/text", json={"query": query, **options}).status_code


def in_log(work: Callable[[], None]) -> list[dict[str, Any]]:
    """Run `work` in a child process that logs JSON, and return the lines."""
    with TemporaryFile("w+") as stream:

        def child() -> None:
            logs.configure("encoder", logs.LogSettings(), stream)
            work()
            stream.flush()

        assert in_child(child) == 0
        stream.seek(0)
        return parsed(stream.read(), "encoder")


def test_a_model_that_fails_on_a_query_does_not_reveal_the_query() -> None:
    def work() -> None:
        lane = QueryLane.__new__(QueryLane)

        def fail(texts: list[str]) -> np.ndarray[Any, Any]:
            raise ValueError(f"cannot encode {texts}")

        request = type("Request", (), {"key": b"1", "id": 1})()
        lane._encode_alike([(request, SECRET)], fail, [], [])

    [line] = in_log(work)
    assert line["event"] == "a query could not be encoded"
    assert "ValueError" in line["exception"]
    assert SECRET not in json.dumps(line)


def test_a_recurring_fault_is_logged_at_most_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    def work() -> None:
        now = [100.0]
        monkeypatch.setattr(logs.time, "monotonic", lambda: now[0])
        log = structlog.get_logger()
        for number in range(1000):
            log.warning("the heartbeat failed", error=f"number {number}")
            log.info("request", number=number)
        log.warning("another fault")
        now[0] += 1
        log.warning("the heartbeat failed", error="again")

    lines = [line for line in in_log(work) if line["level"] == "warning"]
    assert [(line["event"], line.get("error"), line.get("repeated")) for line in lines] == [
        ("the heartbeat failed", "number 0", None),
        ("another fault", None, None),
        ("the heartbeat failed", "again", 999),
    ]


def test_libraries_and_warnings_and_threads_log_json_too() -> None:
    def work() -> None:
        import logging
        import threading
        import warnings

        for _ in range(3):
            logging.getLogger("library").error("it broke\nTask exception: %s", SECRET)
        for number in range(3):
            logging.getLogger("library").warning("try %d failed", number)
        logging.getLogger("library").info("not worth a line")
        warnings.warn("this is old", DeprecationWarning, stacklevel=1)
        thread = threading.Thread(target=lambda: {}[SECRET], name="side")
        thread.start()
        thread.join()

    library, tried, warned, thread = in_log(work)
    assert (library["event"], library["logger"], library["level"]) == ("it broke", "library", "error")
    assert tried["event"] == "try 0 failed"
    assert tried.keys() == library.keys()
    assert warned["event"] == "this is old"
    assert (thread["event"], thread["thread"]) == ("a thread ended with an error", "side")
    assert "KeyError" in thread["exception"]
    assert SECRET not in json.dumps([library, thread])


def test_on_a_terminal_the_log_is_text() -> None:
    stream = io.StringIO()
    stream.isatty = lambda: True  # type: ignore[method-assign]

    def work() -> None:
        assert logs.configure("web", logs.LogSettings(), stream) is False
        structlog.get_logger().info("request", status=200)
        assert "request" in stream.getvalue()
        assert not stream.getvalue().startswith("{")

    assert in_child(work) == 0


def test_a_text_log_has_colors_only_on_a_terminal_without_the_variable_no_color(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def work(*, terminal: bool, colors: bool) -> None:
        stream = io.StringIO()
        stream.isatty = lambda: terminal  # type: ignore[method-assign]
        logs.configure("web", logs.LogSettings(format="text"), stream)
        structlog.get_logger().warning("the database does not answer", place=1)
        assert ("\x1b[" in stream.getvalue()) is colors

    monkeypatch.delenv("NO_COLOR", raising=False)
    assert in_child(lambda: work(terminal=True, colors=True)) == 0
    assert in_child(lambda: work(terminal=False, colors=False)) == 0
    monkeypatch.setenv("NO_COLOR", "1")
    assert in_child(lambda: work(terminal=True, colors=False)) == 0
