"""The fetcher repeats a request if the server is busy or its answer is broken. Each error says whether it is
permanent."""

import socket
import struct
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from db.fetching.fetcher import Fetcher
from db.images.errors import FetchFailed, ImageRejected, ImageUnreadable
from tests.support.scripted_server import ScriptedServer, Send, refusal, response

MakeFetcher = Callable[..., Fetcher]
HEAD = b"HTTP/1.1 200 OK\r\n"


def here(*_: object) -> list[str]:
    return ["127.0.0.1"]


@pytest.mark.parametrize(("status", "final"), [(404, True), (410, True), (403, True), (401, False), (418, False)])
def test_a_request_that_is_answered_with_401_403_404_410_or_418_is_not_retried(
    fetcher: MakeFetcher, site: ScriptedServer, status: int, final: bool
) -> None:
    site.answers["/"] = response(b"no", status)
    error = refusal(fetcher(fetch_attempts=3), site.url())
    assert f"the server answers {status}" in error.message
    assert (error.final, isinstance(error, ImageUnreadable)) == (final, not final)
    assert len(site.requests) == 1


def test_a_request_to_a_busy_server_is_retried_after_the_time_in_retry_after(
    fetcher: MakeFetcher, site: ScriptedServer
) -> None:
    asked: list[float] = []

    def busy(send: Send) -> None:
        asked.append(time.monotonic())
        send(response(status=429, Retry_After="1"))

    def ready(send: Send) -> None:
        asked.append(time.monotonic())
        send(response(b"image"))

    site.answers["/"] = [busy, ready]
    assert fetcher(fetch_attempts=2).read(site.url()) == b"image"
    assert asked[1] - asked[0] >= 1


def test_the_fetcher_does_not_wait_if_retry_after_is_an_hour(fetcher: MakeFetcher, site: ScriptedServer) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    site.answers |= {
        "/seconds": response(status=503, Retry_After="3600"),
        "/date": response(status=503, Retry_After=later),
    }
    for path in ("/seconds", "/date"):
        error = refusal(fetcher(fetch_attempts=3), site.url(path))
        assert not error.final
        assert "asks to wait 3" in error.message
        assert site.paths.count(path) == 1


@pytest.mark.parametrize("retry_after", ["1" + "0" * 308, "9" * 400])
def test_a_huge_retry_after_counts_as_a_day(fetcher: MakeFetcher, site: ScriptedServer, retry_after: str) -> None:
    site.answers["/"] = response(status=503, Retry_After=retry_after)
    error = refusal(fetcher(), site.url())
    assert isinstance(error, FetchFailed)
    assert error.seconds == 86_400


@pytest.mark.parametrize("retry_after", ["soon", "-1", "nan", "Mon, 99 Foo 2026"])
def test_an_invalid_retry_after_is_ignored(fetcher: MakeFetcher, site: ScriptedServer, retry_after: str) -> None:
    site.answers["/"] = [response(status=503, Retry_After=retry_after), response(b"image")]
    assert fetcher(fetch_attempts=2).read(site.url()) == b"image"


def test_a_request_that_fails_at_every_attempt_raises_a_temporary_error(
    fetcher: MakeFetcher, site: ScriptedServer
) -> None:
    site.answers["/"] = response(status=503)
    error = refusal(fetcher(fetch_attempts=3, fetch_seconds=1), site.url())
    assert "the server answers 503" in error.message
    assert not error.final
    assert len(site.requests) == 3


def reset(send: Send) -> None:
    connection: socket.socket = send.__self__  # type: ignore[attr-defined]  # send is the socket's sendall
    send(HEAD + b"Content-Length: 100\r\n\r\nhalf")
    time.sleep(0.05)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


BROKEN = {
    "reset in the middle": reset,
    "cut short": HEAD + b"Content-Length: 100\r\n\r\nhalf",
    "closed immediately": b"",
    "not HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "two lengths": HEAD + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nhalf!",
    "a length that is no number": HEAD + b"Content-Length: many\r\n\r\nhalf",
    "a giant header": HEAD + b"X: " + b"y" * 200_000 + b"\r\n\r\n",
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_request_with_a_broken_answer_is_retried(fetcher: MakeFetcher, site: ScriptedServer, broken: str) -> None:
    site.answers["/"] = [BROKEN[broken], response(b"image")]
    assert fetcher(fetch_attempts=2).read(site.url()) == b"image"
    site.answers["/"] = BROKEN[broken]
    assert not refusal(fetcher(fetch_attempts=1), site.url()).final


def test_the_error_for_an_unreachable_host_is_temporary(fetcher: MakeFetcher, site: ScriptedServer) -> None:
    error = refusal(fetcher(), f"http://gone.example:{site.port}/")
    assert "Name or service not known" in error.message
    assert not error.final
    assert not refusal(fetcher(lambda *_: []), f"http://gone.example:{site.port}/").final
    assert not refusal(fetcher(here, fetch_ports=[1]), "http://down.example:1/").final
    assert refusal(fetcher(), f"http://{'a' * 64}.example:{site.port}/") is not None


def test_closing_a_fetcher_ends_the_calls_that_wait_for_a_retry(fetcher: MakeFetcher, site: ScriptedServer) -> None:
    site.answers["/"] = response(status=503, Retry_After="60")
    made = fetcher(fetch_attempts=2, fetch_seconds=100)
    ended: list[ImageRejected] = []
    thread = threading.Thread(target=lambda: ended.append(refusal(made, site.url())))
    thread.start()
    while not site.requests:
        time.sleep(0.01)
    made.close()
    thread.join(60)
    assert [error.final for error in ended] == [False]
