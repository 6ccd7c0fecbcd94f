"""The body of a request may take longer than the deadline if its bytes keep arriving. If they stop arriving, or arrive
too slowly, the request is refused."""

import asyncio
import select
import socket
import time

import httpx
import pytest
from litestar.types import HTTPReceiveMessage

from tests.support.servers.assistants import address_of
from tests.support.web_service import SETTINGS, Serve
from web.http import arriving
from web.http.context import RequestContext
from web.http.problems import ApiError

BODY = b'{"query": "bag", "top_k": 1}' + b" " * 200_000
TARGETS = {
    "/v1/search": b"application/json",
    "/search/image/file": b"multipart/form-data; boundary=x",
    "/mcp": b"application/json",
}


def head(path: str, length: int, media_type: bytes) -> bytes:
    return (
        b"POST %s HTTP/1.1\r\nHost: localhost\r\nAccept: application/json, text/event-stream\r\n"
        b"Content-Type: %s\r\nContent-Length: %d\r\n\r\n" % (path.encode(), media_type, length)
    )


def answer_to(client: httpx.Client, head: bytes, parts: list[bytes], pause: float) -> bytes:
    url = httpx.URL(address_of(client))
    with socket.create_connection((url.host, url.port), timeout=30) as connection:
        connection.sendall(head)
        for part in parts:
            connection.sendall(part)
            if select.select([connection], [], [], pause)[0]:
                break  # the answer has come before the whole body was sent
        return connection.recv(65536)


def test_a_body_that_makes_progress_may_take_longer_than_the_deadline(serve: Serve) -> None:
    parts = [BODY[start : start + 10_000] for start in range(0, len(BODY), 10_000)]
    with serve(deadline_ms=400, encode_ms=10) as client:
        began = time.monotonic()
        answer = answer_to(client, head("/v1/search", len(BODY), b"application/json"), parts, 0.03)
    assert time.monotonic() - began > 0.6
    assert answer.startswith(b"HTTP/1.1 200"), answer


@pytest.mark.parametrize("path", TARGETS)
def test_a_body_that_stalls_is_answered_with_408(serve: Serve, path: str) -> None:
    with serve(deadline_ms=300) as client:
        answer = answer_to(client, head(path, 100_000, TARGETS[path]), [b"x" * 50_000], 0)
    assert answer.startswith(b"HTTP/1.1 408"), answer
    assert b"urn:windowshop:problem:body-timeout" in answer and b"did not arrive" in answer
    assert b"connection: close" in answer.lower()


def test_the_deadline_is_far_away_while_a_body_arrives() -> None:
    """With a near deadline, a busy event loop could notice the deadline first, and answer 504 instead of 408."""

    async def stalled() -> float:
        now, ends = asyncio.get_running_loop().time(), []

        async def receive() -> HTTPReceiveMessage:
            ends.append(context.timeout and context.timeout.when())
            await asyncio.sleep(10)
            raise AssertionError

        context = RequestContext("id", now + 5)
        async with asyncio.timeout_at(context.deadline) as context.timeout:
            with pytest.raises(ApiError):
                await arriving.Arriving(receive, context, SETTINGS.model_copy(update={"deadline_ms": 50}))()
        return (ends[0] or 0) - now

    assert asyncio.run(stalled()) > 30


@pytest.mark.parametrize(("rate", "upload_ms"), [(10_000_000, 60_000), (1, 500)])
def test_a_body_that_arrives_too_slowly_is_refused(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, rate: int, upload_ms: int
) -> None:
    monkeypatch.setattr(arriving, "MIN_RATE", rate)
    with serve(deadline_ms=300, upload_ms=upload_ms) as client:
        began = time.monotonic()
        answer = answer_to(client, head("/v1/search", 1000, b"application/json"), [b" " * 400, *[b" "] * 200], 0.05)
    assert b" 408 " in answer and b"too slowly" in answer, answer
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("path", ["/v1/search", "/v1/products", "/mcp"])
def test_a_compressed_body_is_refused_with_the_name_of_its_encoding(client: httpx.Client, path: str) -> None:
    method = "PUT" if path == "/v1/products" else "POST"
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip", "Accept": "application/json"}
    answer = client.request(method, path, content=b'{"query": "bag"}', headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (415, "urn:windowshop:problem:media-type")
    assert answer.json()["detail"] == "A body with Content-Encoding: gzip is not accepted."
    identity = {**headers, "Content-Encoding": "identity"}
    assert client.request(method, path, content=b'{"query": "bag"}', headers=identity).status_code != 415


def test_a_body_that_is_too_large_is_answered_with_the_limit_and_its_setting(serve: Serve) -> None:
    with serve(max_body_bytes=2000) as client:
        answer = client.post("/v1/search", json={"query": "bag" * 1000})
    assert answer.status_code == 413
    assert "2,000 bytes" in answer.json()["detail"] and "WINDOWSHOP_WEB_MAX_BODY_BYTES" in answer.json()["hint"]
