"""A request whose connection to the database is lost gets a 503 that says when to try again."""

import threading
from collections.abc import Callable

import httpx
from sqlalchemy import text

from db.engine import Database
from tests.support.processes import wait_until
from tests.support.web_service import Serve

_TERMINATE = text(
    "select pg_terminate_backend(pid) from pg_stat_activity "
    "where wait_event_type = 'Lock' and datname = current_database()"
)


def answer_without_connection(database: Database, send: Callable[[], httpx.Response], times: int) -> httpx.Response:
    """Sends a request, which waits for a locked table. Terminates the backend of the request `times` times, and returns
    the answer."""
    answers: list[httpx.Response] = []
    thread = threading.Thread(target=lambda: answers.append(send()))

    def is_terminated() -> bool:
        with database.connect(None) as watching:
            return watching.execute(_TERMINATE).first() is not None

    with database.connect(None) as conn, conn.begin():
        conn.execute(text("lock table shop.product in access exclusive mode"))
        thread.start()
        for _ in range(times):
            wait_until(is_terminated, 30, "the request waits for the lock")
        thread.join()
    return answers[0]


def test_a_write_whose_connection_is_lost_gets_503_with_retry_after(serve: Serve, own_database: Database) -> None:
    body = {"products": [{"sku": "N-1", "title": "new"}]}
    with serve(own_database) as client:
        refused = answer_without_connection(own_database, lambda: client.put("/v1/products", json=body), 1)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["type"] == "urn:windowshop:problem:database-unavailable"
        assert client.put("/v1/products", json=body).json()["products"][0]["status"] == "inserted"


def test_a_read_is_tried_again_and_then_gets_503_with_retry_after(serve: Serve, own_database: Database) -> None:
    with serve(own_database) as client:
        assert client.get("/v1/products/sku 1").status_code == 200  # the connection stays open
        refused = answer_without_connection(own_database, lambda: client.get("/v1/products/sku 1"), 2)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["type"] == "urn:windowshop:problem:database-unavailable"
        assert client.get("/v1/products/sku 1").status_code == 200
