"""Answers are compressed, name the rate limit and are readable across origins. Writes can be repeated safely."""

import gzip
import threading
import time
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, text

from db import api_keys, idempotency
from db.engine import Database
from tests.support.processes import wait_until
from tests.support.web_service import SETTINGS, Serve, served
from web.http import idempotency as idempotency_http

PRODUCT = {"products": [{"sku": "N-1", "title": "new"}]}
ORIGIN = "https://shop.example"


def test_a_search_answer_with_ten_results_has_at_most_4_kb(client: httpx.Client) -> None:
    with client.stream(
        "POST", "/v1/search", json={"query": "bag", "top_k": 10, "facets": ["brand", "price"]}
    ) as answer:
        packed = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert "accept-encoding" in answer.headers["vary"].lower()
    assert len(gzip.decompress(packed)) > 5000
    assert len(packed) <= 4096


@pytest.mark.parametrize(
    ("accepted", "is_packed"), [("gzip", True), ("br, gzip;q=0.5", True), ("gzip;q=0", False), ("identity", False)]
)
def test_an_answer_is_compressed_only_for_a_client_that_accepts_gzip(
    client: httpx.Client, accepted: str, is_packed: bool
) -> None:
    for path in ("/", "/openapi/openapi.json", "/docs"):
        answer = client.get(path, headers={"Accept-Encoding": accepted})
        assert ("content-encoding" in answer.headers) == is_packed, path
        assert answer.status_code == 200


def test_images_and_short_answers_are_not_compressed(client: httpx.Client) -> None:
    address = client.post("/v1/search", json={"query": "bag", "top_k": 1}).json()["results"][0]["picture"]["url"]
    for path in (address, address + "&size=64", "/health"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert "content-encoding" not in answer.headers
        assert len(answer.content) == int(answer.headers["content-length"])


def test_the_rate_limit_is_in_the_headers_of_answers_and_refusals(serve: Serve) -> None:
    with serve(rate_per_address=3) as client:
        answers = [client.get("/v1/products/sku 1") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"minute";q=3;w=60'}
    left = [answer.headers["ratelimit"].split(";")[1] for answer in answers]
    assert left == ["r=2", "r=1", "r=0", "r=0"]
    # The current window of 60 s ends after at most 60 s. In the next window, the three requests count less and less:
    # after 20 s they count as two, so that one request fits.
    assert 1 <= int(answers[3].headers["retry-after"]) <= 80
    waits = [int(answer.headers["ratelimit"].split(";")[2].removeprefix("t=")) for answer in answers]
    assert all(57 < wait <= 120 for wait in waits)


def test_a_page_of_an_allowed_origin_can_read_headers_and_errors(serve: Serve) -> None:
    with serve(cors_origins=[ORIGIN], rate_per_address=2) as client:
        client.headers["Origin"] = ORIGIN
        answers = [client.get("/health"), client.get("/v1/products/nobody"), client.get("/v1/products/nobody"),
                   client.get("/v1/products/nobody")]  # fmt: skip
        assert [answer.status_code for answer in answers] == [200, 404, 404, 429]
        for answer in answers:
            assert answer.headers["access-control-allow-origin"] == ORIGIN
            exposed = {name.strip().lower() for name in answer.headers["access-control-expose-headers"].split(",")}
            assert exposed >= {"x-request-id", "retry-after", "ratelimit", "ratelimit-policy"}
        client.headers["Origin"] = "https://other.example"
        assert "access-control-allow-origin" not in client.get("/v1/products/nobody").headers


def test_the_page_of_the_api_lists_every_operation_and_loads_nothing_from_other_hosts(client: httpx.Client) -> None:
    answer = client.get("/docs")
    page = answer.text
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "<script" not in page
    assert "style=" not in page

    class Links(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.ids: list[str] = []
            self.links: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.ids += [value or "" for name, value in attrs if name == "id"]
            self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    found = Links()
    found.feed(page)
    api = client.get("/openapi/openapi.json").json()
    operations = [operation["operationId"] for item in api["paths"].values() for operation in item.values()]
    assert set(operations) <= set(found.ids)
    assert len(set(found.ids)) == len(found.ids)
    for link in found.links:
        assert link.removeprefix("#") in found.ids if link.startswith("#") else client.get(link).status_code == 200, (
            link
        )


def test_the_page_of_the_api_works_without_the_search_page(serve: Serve) -> None:
    with serve(public_page=False) as client:
        page = client.get("/docs")
        style = page.text.split('rel="stylesheet" href="')[1].split('"')[0]
        assert (page.status_code, client.get(style).status_code, client.get("/").status_code) == (200, 200, 404)


# --- repeated writes: the service claims the Idempotency-Key of a request, and ends the claim when the answer is ready


def put(client: httpx.Client, key: str, body: object = PRODUCT, path: str = "/v1/products") -> httpx.Response:
    return client.put(path, json=body, headers={"Idempotency-Key": key})


def test_a_repeated_write_gets_the_first_answer_and_changes_nothing(serve: Serve, own_database: Database) -> None:
    with serve(own_database) as client:
        first, second = put(client, "k-1"), put(client, "k-1")
        assert first.json() == second.json()
        assert first.json()["products"][0]["status"] == "inserted"
        assert "idempotency-replayed" not in first.headers
        assert second.headers["idempotency-replayed"] == "true"
        assert put(client, "k-2").json()["products"][0]["status"] == "unchanged"
        for body, path in (({"products": [{"sku": "N-1", "title": "newer"}]}, "/v1/products"), (PRODUCT, "/products")):
            other = put(client, "k-1", body, path)
            assert other.status_code == 422
            assert other.json()["type"] == "urn:windowshop:problem:idempotency-key"
        events = {"events": [{"kind": "search", "query": "a"}]}
        for _ in range(3):
            assert client.post("/v1/events", json=events, headers={"Idempotency-Key": "e"}).json() == {"recorded": 1}
        gone = [client.delete("/v1/products/N-1", headers={"Idempotency-Key": "d"}) for _ in range(2)]
        assert [answer.status_code for answer in gone] == [204, 204]
        assert all("content-length" not in answer.headers for answer in gone)
        assert [answer.headers.get("idempotency-replayed") for answer in gone] == [None, "true"]
        for faulty in ("", "two words", "x" * 201):
            assert put(client, faulty).status_code == 422
    with own_database.connect(None) as conn:
        assert conn.scalar(text("select count(*) from shop.event")) == 1


def test_a_failed_write_can_be_repeated_with_the_same_key(serve: Serve, own_database: Database) -> None:
    with serve(own_database) as client:
        body = {"products": PRODUCT["products"], "catalog": "new"}
        assert put(client, "k-1", body).status_code == 404
        with own_database.connect(None) as conn, conn.begin():
            conn.execute(text("insert into shop.catalog (catalog) values ('new')"))
        assert put(client, "k-1", body).json()["products"][0]["status"] == "inserted"


def test_the_key_of_an_answered_request_can_be_used_again_at_once(
    serve: Serve, own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = idempotency.end

    def slow_end(conn: Connection, *args: Any) -> None:
        conn.execute(text("select pg_sleep(0.1)"))
        end(conn, *args)

    monkeypatch.setattr(idempotency, "end", slow_end)
    with serve(own_database) as client:

        def patch(key: str) -> httpx.Response:
            return client.patch("/v1/products/nobody", json={"title": "x"}, headers={"Idempotency-Key": key})

        assert [patch("k-1").status_code for _ in range(2)] == [404, 404]
        assert [put(client, "k-2").status_code for _ in range(2)] == [200, 200]
        gone = [client.delete("/v1/products/N-1", headers={"Idempotency-Key": "d"}) for _ in range(2)]
        assert [answer.status_code for answer in gone] == [204, 204]


def test_two_clients_can_use_the_same_idempotency_key(own_database: Database) -> None:
    with own_database.connect(None) as conn, conn.begin():
        keys = [api_keys.create(conn, name, ["write"]) for name in ("one", "two")]
    with served(own_database, SETTINGS.model_copy(update={"api_keys": "on"})) as client:
        answers = []
        for key in keys:
            client.headers["Authorization"] = f"Bearer {key}"
            answers.append(put(client, "k-1").json()["products"][0]["status"])
        assert answers == ["inserted", "unchanged"]
        del client.headers["Authorization"]
        assert put(client, "k-1").status_code == 401


def test_a_write_gets_409_while_a_write_with_the_same_key_is_running(serve: Serve, own_database: Database) -> None:
    answers: list[httpx.Response] = []
    with serve(own_database) as client, own_database.connect(None) as conn, conn.begin():
        client.put("/v1/products", json=PRODUCT).raise_for_status()
        conn.execute(
            text("select from shop.product where sku = 'N-1' for update")
        )  # the write below waits for this lock
        body = {"products": [{"sku": "N-1", "title": "newer"}]}
        thread = threading.Thread(target=lambda: answers.append(put(client, "k-1", body)))
        thread.start()
        deadline = time.monotonic() + 30
        while True:
            with own_database.connect(None) as other:
                if other.scalar(text("select count(*) from shop_private.idempotency")):
                    break
            assert time.monotonic() < deadline
        running = put(client, "k-1", body)
        assert running.status_code == 409
        assert running.json()["type"] == "urn:windowshop:problem:conflict"
        assert "retry-after" in running.headers
        conn.rollback()
        thread.join()
        assert answers[0].json()["products"][0]["status"] == "updated"
        # If storing the answer takes more than 2 s, the service sends the answer first. Until the answer is stored, a
        # repeated request gets a 409.
        wait_until(lambda: put(client, "k-1", body).status_code != 409, 30, "the end of the claim")
        assert put(client, "k-1", body).json() == answers[0].json()


def test_a_write_that_reaches_its_deadline_frees_its_key(serve: Serve, own_database: Database) -> None:
    with serve(own_database, deadline_ms=700) as client:
        client.put("/v1/products", json=PRODUCT).raise_for_status()

        def patch() -> httpx.Response:
            return client.patch("/v1/products/N-1", json={"title": "newer"}, headers={"Idempotency-Key": "k-1"})

        with own_database.connect(None) as conn, conn.begin():
            conn.execute(text("select from shop.product where sku = 'N-1' for update"))
            late = patch()
            assert (late.status_code, late.json()["type"]) == (504, "urn:windowshop:problem:timeout"), late.text
            conn.rollback()
        wait_until(lambda: patch().status_code != 409, 10, "the end of the claim")
        assert patch().json()["status"] in ("updated", "unchanged")


def test_an_answer_is_stored_when_the_first_tries_fail(
    serve: Serve, own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency_http, "TRY_SECONDS", 0.2)
    monkeypatch.setattr(idempotency_http, "_PAUSE_SECONDS", 0.1)
    monkeypatch.setattr(idempotency_http, "_WAIT_SECONDS", 0.5)
    answers: list[httpx.Response] = []
    with serve(own_database) as client, own_database.connect(None) as conn, own_database.connect(None) as other:
        client.put("/v1/products", json=PRODUCT).raise_for_status()
        body = {"products": [{"sku": "N-1", "title": "newer"}]}
        with other.begin() as waits_for_answer:
            with conn.begin():
                conn.execute(text("select from shop.product where sku = 'N-1' for update"))
                thread = threading.Thread(target=lambda: answers.append(put(client, "k-1", body)))
                thread.start()
                deadline = time.monotonic() + 30
                while not other.execute(text("select from shop_private.idempotency for update")).rowcount:
                    assert time.monotonic() < deadline
            thread.join()
            assert answers[0].json()["products"][0]["status"] == "updated"
            time.sleep(0.5)
            assert put(client, "k-1", body).status_code == 409
            waits_for_answer.rollback()
        while (answer := put(client, "k-1", body)).status_code == 409:
            assert time.monotonic() < deadline
        assert answer.json() == answers[0].json()


def test_only_the_latest_claim_stores_an_answer_and_repeats_use_no_identity_value(
    own_database: Database,
) -> None:
    key, request = b"k" * 32, b"r" * 32
    with own_database.connect(None) as conn, conn.begin():
        first = idempotency.claim(conn, key, request)
        assert first.claimed is not None
        assert [idempotency.claim(conn, key, each).state for each in (request, b"o" * 32)] == ["running", "other"]
        conn.execute(text("update shop_private.idempotency set claimed_at = claimed_at - interval '3 minutes'"))
        second = idempotency.claim(conn, key, request)
        assert second.claimed is not None
        idempotency.end(conn, key, first.claimed, 200, b"first")
        idempotency.end(conn, key, first.claimed, None, None)
        assert idempotency.claim(conn, key, request).state == "running"
        idempotency.end(conn, key, second.claimed, 200, b"second")
        idempotency.end(conn, key, second.claimed, None, None)
        done = [idempotency.claim(conn, key, request) for _ in range(5)]
        assert {(claim.state, claim.status, claim.answer) for claim in done} == {("done", 200, b"second")}
        assert idempotency.claim(conn, b"l" * 32, request).state == "new"
        values = conn.scalars(text("select idempotency_id from shop_private.idempotency order by 1")).all()
        assert values[1] - values[0] == 2  # the second claim of the first key has used up one value


def test_an_api_key_without_the_scope_of_a_write_claims_no_idempotency_key(own_database: Database) -> None:
    with own_database.connect(None) as conn, conn.begin():
        reader = api_keys.create(conn, "reader", ["search"])
    with served(own_database, SETTINGS.model_copy(update={"api_keys": "on"})) as client:
        client.headers["Authorization"] = f"Bearer {reader}"
        assert put(client, "k-1").status_code == 403
    with own_database.connect(None) as conn:
        assert conn.scalar(text("select count(*) from shop_private.idempotency")) == 0


def test_idempotency_keys_older_than_a_day_are_forgotten(serve: Serve, own_database: Database) -> None:
    with serve(own_database) as client:
        put(client, "k-1").raise_for_status()
        put(client, "k-2").raise_for_status()
        with own_database.connect(None) as conn, conn.begin():
            conn.execute(text("update shop_private.idempotency set claimed_at = claimed_at - interval '25 hours'"))
        assert "idempotency-replayed" not in put(client, "k-1").headers
        with own_database.connect(None) as conn:
            assert conn.scalar(text("select count(*) from shop_private.idempotency")) == 1
