"""When the service stops, it ends the waits of requests at once, and answers every open request."""

import socket
import threading
import time
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from db.engine import Database
from tests.support.processes import wait_until
from tests.support.web_service import SETTINGS
from web.http import arriving
from web.server import running

BODY = {"products": [{"sku": "T-1", "title": "a product that nobody encodes"}]}


def test_a_waiting_request_is_answered_at_once_when_the_service_stops(
    own_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    answers: list[httpx.Response] = []
    with running(own_database, SETTINGS) as address:

        def put() -> None:
            answers.append(httpx.put(f"{address}/v1/products?wait=50", json=BODY, timeout=60))

        def is_stored() -> bool:
            return httpx.get(f"{address}/v1/products/T-1").status_code == 200

        waiting = threading.Thread(target=put)
        waiting.start()
        wait_until(is_stored, 30, "product is stored")
        began = time.monotonic()
    assert time.monotonic() - began < 10  # the wait would last 50 s, and the grace period 11 s
    waiting.join()
    [outcome] = answers[0].raise_for_status().json()["products"]
    assert (outcome["status"], outcome["encoding"]) == ("inserted", "waiting")
    assert "Traceback" not in caplog.text


def test_a_request_that_is_open_at_the_end_of_the_grace_period_gets_a_problem(
    shop_database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(arriving, "MIN_RATE", 1)
    with capture_logs() as log, socket.socket() as slow:
        with running(shop_database, SETTINGS.model_copy(update={"deadline_ms": 900})) as address:
            url = httpx.URL(address)
            slow.connect((url.host, url.port))
            slow.sendall(
                b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                b"Content-Length: 1000\r\n\r\n" + b" " * 500
            )
            stop = threading.Event()

            def drip() -> None:
                while not stop.wait(0.2):
                    slow.send(b" ")

            dripping = threading.Thread(target=drip)
            dripping.start()
            time.sleep(0.2)
        stop.set()
        dripping.join()
        answer = slow.recv(65536)
    assert answer.startswith(b"HTTP/1.1 503") and b"urn:windowshop:problem:overloaded" in answer
    assert b"x-request-id" in answer
    statuses: list[Any] = [line["status"] for line in log if line["event"] == "request"]
    assert statuses == [503]
    assert "Traceback" not in caplog.text
