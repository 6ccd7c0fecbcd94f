"""The service answers correctly during restarts, during overload and while clients are slow. Only `make soak` runs the
tests with the mark soak, which take long."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import pytest
from sqlalchemy import text

import web.http.protocol
from db.engine import Database
from tests.support.http_load import NO_ANSWER, Answers, Asking, Load, ask, gauge, log_lines, service, stop
from tests.support.processes import free_port, wait_until
from tests.support.web_service import CACHED, Serve

MIB = 2**20
Environment = Callable[[Database], dict[str, str]]


# --- restarts


def restart_under_load(env: dict[str, str], folder: Path, times: int) -> None:
    """Stop the service `times` times under load, and check that every accepted request is answered."""
    port = free_port()
    stopped_under_load = 0
    for number in range(times):
        log = folder / f"log-{number}"
        with service(env, log, port) as process:
            asking = Asking(Load(f"http://127.0.0.1:{port}", CACHED, 3, clients=8))
            wait_until(lambda log=log: len(log_lines(log)) > 30, 60, "30 logged requests")
            assert stop(process) == 0
            stopped_under_load += asking.is_running()
            answers = asking.answers().answers
        accepted = {line["request_id"]: line["status"] for line in log_lines(log) if line["route"] == "/search/text"}
        got = {answer.request_id: answer.status for answer in answers if answer.status != NO_ANSWER}
        assert set(accepted.values()) == {200}
        assert got == accepted
    assert stopped_under_load > times / 2


@pytest.mark.soak
def test_accepted_requests_are_answered_during_two_restarts(
    own_database: Database, environment: Environment, tmp_path: Path
) -> None:
    restart_under_load(environment(own_database), tmp_path, 2)


@pytest.mark.soak
def test_accepted_requests_are_answered_during_twenty_restarts(
    own_database: Database, environment: Environment, tmp_path: Path
) -> None:
    restart_under_load(environment(own_database), tmp_path, 20)


# --- overload


def assert_bounded(answers: Answers, memory: list[int], waiting: list[float], queue: int) -> None:
    """Check that every request is answered or refused with Retry-After, and that at most `queue` requests wait.

    Memory must grow by at most 20 MiB after the first third of the samples.
    """
    assert set(answers.counted()) == {200, 503}
    assert all(answer.retry_after for answer in answers.of(503))
    assert max(waiting) <= queue
    assert memory[-1] - memory[len(memory) // 3] <= 20 * MIB, [size // MIB for size in memory]


def watch(asking: Asking, process: psutil.Process, metrics: int) -> tuple[list[int], list[float]]:
    """Until the load ends, sample every 0.1 s the resident memory in bytes and the number of requests that wait for a
    connection."""
    memory, waiting = [process.memory_info().rss], [0.0]
    while asking.is_running():
        memory.append(process.memory_info().rss)
        waiting.append(gauge(metrics, 'windowshop_database_waiting{pool="read"}'))
        time.sleep(0.1)
    return memory, waiting


@pytest.mark.soak
def test_excess_requests_are_refused_and_searches_after_the_overload_are_answered(
    own_database: Database, environment: Environment, tmp_path: Path
) -> None:
    port, metrics = free_port(), free_port()
    env = environment(own_database)
    with (
        own_database.connect(None) as conn,
        service(env, tmp_path / "log", port, connections=1, queue=2, metrics_port=metrics) as process,
    ):
        asking = Asking(Load(f"http://127.0.0.1:{port}", CACHED, 5, rate=60))
        # No search finishes, so on a machine of any speed one search runs, two wait, and the others are refused.
        with conn.begin():
            conn.execute(text("lock table shop.product in access exclusive mode"))
            wait_until(lambda: len(log_lines(tmp_path / "log")) > 60, 60, "60 logged requests")
        memory, waiting = watch(asking, psutil.Process(process.pid), metrics)
        assert_bounded(asking.answers(), memory, waiting, 2)
        assert ask(Load(f"http://127.0.0.1:{port}", CACHED, 0.2)).counted().keys() == {200}
        assert gauge(metrics, 'windowshop_database_connections{pool="read"}') == 0
        assert stop(process) == 0


@pytest.mark.soak
def test_memory_and_queue_stay_bounded_for_a_minute_at_five_times_the_peak_rate(
    own_database: Database, environment: Environment, tmp_path: Path
) -> None:
    port, metrics = free_port(), free_port()
    address = f"http://127.0.0.1:{port}"
    with service(environment(own_database), tmp_path / "log", port, metrics_port=metrics) as process:
        peak = ask(Load(address, CACHED, 5, clients=8)).rate()
        asking = Asking(Load(address, CACHED, 60, rate=5 * peak))
        memory, waiting = watch(asking, psutil.Process(process.pid), metrics)
        answers = asking.answers()
        print(
            f"peak {peak:.0f}/s, under overload {answers.rate():.0f}/s; refused within {answers.at(0.99, 503):.3f} s "
            f"(p99), the service itself took {_refusing(tmp_path / 'log'):.1f} ms (p99)"
        )
        assert_bounded(answers, memory, waiting, 16)


def _refusing(log: Path) -> float:
    taken = sorted(line["ms"] for line in log_lines(log) if line["status"] == 503)
    return float(taken[int(len(taken) * 0.99)])


# --- slow clients


HEADER = b"POST /search/text HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
SLOW_REQUESTS = {
    "header": (HEADER, b"X-Slow: 1\r\n"),
    "body": (HEADER + b"Content-Length: 1000\r\n\r\n", b" "),
}


@contextmanager
def slow_clients(client: httpx.Client, what: str, count: int) -> Iterator[list[socket.socket]]:
    """Yields connections that have sent only the beginning of a request."""
    with ExitStack() as stack:
        address = (client.base_url.host, client.base_url.port)
        slow = [stack.enter_context(socket.create_connection(address)) for _ in range(count)]
        for one in slow:
            one.sendall(SLOW_REQUESTS[what][0])
        yield slow


def dropped(slow: socket.socket, drip: bytes, *, reading: bool = True) -> bool:
    """Send the bytes `drip` and return whether the service has closed the connection."""
    slow.settimeout(0.01)
    try:
        slow.sendall(drip)
        return reading and slow.recv(65536) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def assert_others_are_served(serve: Serve, monkeypatch: pytest.MonkeyPatch, what: str, count: int) -> None:
    monkeypatch.setattr(web.http.protocol, "IDLE_TIMEOUT_SECONDS", 1.0)
    with serve(deadline_ms=1500) as client, slow_clients(client, what, count) as slow:
        assert client.post("/search/text", json={"query": "bag"}).status_code == 200
        drip = SLOW_REQUESTS[what][1]
        for one in slow:
            wait_until(lambda one=one: dropped(one, drip), 60, f"the end of a connection with a slow {what}")
        assert client.post("/search/text", json={"query": "bag"}).status_code == 200


@pytest.mark.parametrize("what", SLOW_REQUESTS)
def test_a_client_that_sends_slowly_is_disconnected(serve: Serve, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    assert_others_are_served(serve, monkeypatch, what, 1)


@pytest.mark.soak
@pytest.mark.parametrize("what", SLOW_REQUESTS)
def test_other_clients_are_answered_while_two_hundred_clients_are_slow(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    assert_others_are_served(serve, monkeypatch, what, 200)


def test_a_client_that_does_not_read_its_answers_is_disconnected(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web.http.protocol, "IDLE_TIMEOUT_SECONDS", 1.0)
    with serve(connections=1, queue=0) as client, socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        slow.connect((client.base_url.host, client.base_url.port))
        body = b'{"query": "bag", "top_k": 60}'
        request = HEADER + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        slow.settimeout(0.2)
        with suppress(TimeoutError):
            for _ in range(200):  # requests more answers than the socket buffers can hold
                slow.sendall(request)
        wait_until(
            lambda: client.post("/search/text", json={"query": "bag"}).status_code == 200,
            20,
            "an answer to another client",
        )
        wait_until(lambda: dropped(slow, b" ", reading=False), 60, "the end of the slow client's connection")


def test_an_endless_header_is_refused(client: httpx.Client) -> None:
    with socket.create_connection((client.base_url.host, client.base_url.port), timeout=10) as endless:
        try:
            endless.sendall(HEADER)
            for _ in range(100):
                endless.sendall(b"X-Long: " + b"x" * 2000 + b"\r\n")
            answer = endless.recv(65536)
        except ConnectionError:
            return  # the service closed the connection while the test was still sending
    assert answer.startswith(b"HTTP/1.1 400")


def test_bytes_that_are_not_http_are_answered_with_a_problem(client: httpx.Client) -> None:
    with socket.create_connection((client.base_url.host, client.base_url.port), timeout=10) as connection:
        connection.sendall(b"what?\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, body = answer.split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert b"application/problem+json" in head
    assert json.loads(body)["type"] == "urn:windowshop:problem:malformed"
