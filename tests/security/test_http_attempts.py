"""Callers try over HTTP to read or change what they may not read or change, or to stop the service. One service with
API keys answers all attempts.

To add an attempt, add a row to http_access_attempts.py, http_input_attempts.py or RAW, with the expected status. No
attempt may expect the status 500. An error of the API is a problem document. No answer reveals internals of the server
or a text of a product that the caller may not read.
"""

import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from db import api_keys
from tests.security.http_access_attempts import CATALOGS, FACETS, FILTERS, JSON, KEYS, STAFF, TEXT, Attempt
from tests.security.http_input_attempts import BODIES, FORMS, OPTIONS, PATHS, QUERIES, WRITES
from tests.support.databases import Databases
from tests.support.shop import Shop, product
from tests.support.web_service import SETTINGS, served

SECRET = "Secretbrand"  # the brand of products that no attempt may read
INTERNALS = re.compile(r'Traceback|File "|/site-packages|\bselect \b|psycopg|pg_temp|plpgsql|shop_private')
ATTEMPTS = {
    "keys": KEYS,
    "staff": STAFF,
    "catalogs": CATALOGS,
    "filters": FILTERS,
    "options": OPTIONS,
    "bodies": BODIES,
    "queries": QUERIES,
    "forms": FORMS,
    "writes": WRITES,
    "paths": PATHS,
}
# Requests that httpx would not send, each with the allowed statuses of the answer. 0 means that the service closes the
# connection without an answer. The test adds the header Connection: close.
HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n"
RAW: list[tuple[str, bytes, set[int]]] = [
    ("no Host", b"GET /health HTTP/1.1\r\n", {200, 400}),
    ("two Hosts", HEALTH + b"Host: evil.example\r\n", {200, 400}),
    ("a NUL in the path", b"GET /\0 HTTP/1.1\r\nHost: x\r\n", {400}),
    ("a NUL in a header", HEALTH + b"X: a\0b\r\n", {400}),
    ("a header without a colon", HEALTH + b"nonsense\r\n", {400}),
    ("a header of 1,000,000 bytes", HEALTH + b"X: " + b"x" * 1_000_000 + b"\r\n", {0, 400}),
    ("a path of 100,000 bytes", b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n", {0, 400, 404, 414}),
    ("HTTP/0.9", b"GET /health\r\n", {200, 400}),
    ("HTTP/9.9", b"GET /health HTTP/9.9\r\nHost: x\r\n", {400, 505}),
    ("CONNECT", b"CONNECT db.internal:5432 HTTP/1.1\r\nHost: db.internal\r\n", {400, 401, 404, 405}),
    ("an absolute address", b"GET http://db.internal/secret HTTP/1.1\r\nHost: db.internal\r\n", {400, 401, 404}),
    ("two lengths", b"POST /search/text HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n", {400}),
    ("a length below 0", b"POST /search/text HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n", {400}),
    ("a length that is no number", b"POST /search/text HTTP/1.1\r\nHost: x\r\nContent-Length: 1e3\r\n", {400}),
    ("a length and chunks", b"POST /search/text HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
     b"Transfer-Encoding: chunked\r\n", {400}),
    ("an unknown transfer encoding", b"POST /search/text HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: x\r\n", {400, 401}),
    ("a forged user of a proxy", b"GET /products/x HTTP/1.1\r\nHost: x\r\nX-Forwarded-User: admin\r\n"
     b"X-Forwarded-For: 127.0.0.1\r\nForwarded: for=127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\n", {401}),
    ("a rewritten address", b"GET /health HTTP/1.1\r\nHost: x\r\nX-Original-URL: /products/x\r\n"
     b"X-Rewrite-URL: /products/x\r\n", {200}),
    ("an upgrade to a web socket", HEALTH + b"Connection: Upgrade\r\nUpgrade: websocket\r\n", {200, 400, 426}),
    ("an upgrade to HTTP/2", HEALTH + b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n", {200, 400}),
    ("a TLS greeting", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", {0, 400}),
    ("a greeting of SSH", b"SSH-2.0-OpenSSH_9.9\r\n", {400}),
]  # fmt: skip


@dataclass(frozen=True)
class Site:
    client: httpx.Client
    keys: dict[str, str]
    words: dict[str, str]  # the texts that replace {secret} and {shoe} in a path


MAIN = [
    product(f"sku {n}", f"{kind} number{n}", product_type=kind, brand="Nord", attributes={"strap_cm": n})
    for n, kind in enumerate(("shoes", "bags") * 6, 1)
]


@pytest.fixture(scope="module")
def site(databases: Databases, toy_template: tuple[str, Path]) -> Iterator[Site]:
    """Yields a service with the catalogs `main`, `other` and `shown`. Only `shown` is public."""
    database = databases.copy(toy_template[0])
    shop = Shop(database)
    shop.load(*MAIN)
    shop.load(product("x", f"hidden bag {SECRET}", product_type="bags", brand=SECRET), into="other")
    shop.load(product("y", "public bag", product_type="bags", brand="Nord"), into="shown")
    shop.encode_all()
    soon = datetime.now(UTC) + timedelta(hours=1)
    with database.connect(None) as conn, conn.begin():
        keys = {
            "search": api_keys.create(conn, "search", ["search"], expires_at=soon),
            "write": api_keys.create(conn, "write", ["write"]),
            "admin": api_keys.create(conn, "admin", ["admin"]),
            "main": api_keys.create(conn, "main", ["admin"], catalogs=["main"]),
            "bags": api_keys.create(conn, "bags", ["search"], filter_={"product_type": "bags"}),
            "expired": api_keys.create(conn, "expired", ["admin"], expires_at=datetime.now(UTC) + timedelta(days=1)),
            "revoked": api_keys.create(conn, "revoked", ["admin"]),
        }
        conn.execute(text("update shop_private.api_key set expires_at = now() where name = 'expired'"))
        assert api_keys.revoke(conn, "revoked")
        find = text("select product_id::text from shop.product where sku = :sku")
        words = {"secret": str(conn.scalar(find, {"sku": "x"})), "shoe": str(conn.scalar(find, {"sku": "sku 1"}))}
    settings = SETTINGS.model_copy(
        update={
            "api_keys": "on",
            "attributes": ["glaze"],
            "public_catalogs": ["shown"],
            "cors_origins": ["https://shop.example"],
        }
    )
    with shop.encoder(), served(database, settings) as client:
        yield Site(client, keys, words)
    shop.close()


def filled(value: Any, words: Mapping[str, str]) -> Any:
    """Returns a part of a request in which `words` replace the words in braces, such as {admin}."""
    if isinstance(value, str):
        return re.sub(r"\{(\w+)\}", lambda match: words.get(match[1], match[0]), value)
    if isinstance(value, dict) and all(isinstance(each, str) for each in value.values()):
        return {name: filled(each, words) for name, each in value.items()}
    return value


def sent(site: Site, attempt: Attempt) -> httpx.Response:
    words = {**site.words, **site.keys}
    more = {name: filled(value, words) for name, value in attempt.more.items()}
    cookies = more.pop("cookies", None)
    headers = dict(more.pop("headers", {}))
    if attempt.key is not None:
        headers["Authorization"] = f"Bearer {site.keys[attempt.key]}"
    if cookies:
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return site.client.request(attempt.method, filled(attempt.path, words), headers=headers, **more)


def faults(attempt: Attempt, answer: httpx.Response) -> Iterator[str]:
    if answer.status_code != attempt.status:
        yield f"status {answer.status_code}, not {attempt.status}: {answer.text[:300]}"
    if SECRET in answer.text or (attempt.key == "bags" and answer.status_code == 200 and "shoes" in answer.text):
        yield f"the answer shows a hidden product: {answer.text[:300]}"
    if INTERNALS.search(answer.text):
        yield f"the answer reveals internals: {answer.text[:300]}"
    is_page = attempt.path.startswith(("/?", "/picture", "/staff"))
    if answer.status_code >= 400 and not is_page:
        problem = answer.json()
        if answer.headers["content-type"] != "application/problem+json" or problem["status"] != answer.status_code:
            yield f"no problem document: {answer.text[:300]}"
    if "access-control-allow-origin" in answer.headers or "set-cookie" in answer.headers:
        yield f"unexpected headers: {answer.headers}"


@pytest.mark.parametrize("group", ATTEMPTS)
def test_every_attempt_over_http_has_its_expected_answer(site: Site, group: str) -> None:
    found = [
        f"{attempt.name}: {fault}" for attempt in ATTEMPTS[group] for fault in faults(attempt, sent(site, attempt))
    ]
    print(*found, sep="\n")  # pytest shortens long lists
    assert found == []


def test_the_table_has_at_least_130_attempts_with_names_of_their_own() -> None:
    names = [f"{group}: {attempt.name}" for group, attempts in ATTEMPTS.items() for attempt in attempts]
    assert len(names) >= 130
    assert len(set(names)) == len(names)


def test_unusual_requests_get_an_allowed_status_and_the_service_answers_the_next_request(site: Site) -> None:
    def status(request: bytes) -> int:
        with socket.create_connection((site.client.base_url.host, site.client.base_url.port or 80), timeout=30) as raw:
            try:
                raw.sendall(request + b"Connection: close\r\n\r\n")
                line = raw.makefile("rb").readline().split()
            except ConnectionError:
                return 0
            return int(line[1]) if len(line) > 1 else 0

    wrong = [(name, got, allowed) for name, request, allowed in RAW if (got := status(request)) not in allowed]
    print(*wrong, sep="\n")
    assert wrong == []
    assert site.client.get("/health").status_code == 200


def test_a_chunked_body_over_the_limit_is_refused(site: Site) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(20):
            yield b" " * 1_000_000

    headers = {**JSON, "Authorization": f"Bearer {site.keys['search']}"}
    assert site.client.post(TEXT, content=chunks(), headers=headers).status_code == 413


ORIGINS: Sequence[tuple[str, bool]] = [
    ("https://shop.example", True),
    ("https://evil.example", False),
    ("https://shop.example.evil.example", False),
    ("https://evil-shop.example", False),
    ("http://shop.example", False),
    ("https://SHOP.example:443", False),
    ("null", False),
]


def test_only_pages_of_the_configured_origin_may_read_answers(site: Site) -> None:
    headers = {"Authorization": f"Bearer {site.keys['search']}"}
    for origin, allowed in ORIGINS:
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        preflight = site.client.options(TEXT, headers=asked).headers
        answer = site.client.get("/products/sku 1", headers={**headers, "Origin": origin}).headers
        for found in (preflight, answer):
            assert (found.get("access-control-allow-origin") in (origin, "*")) is allowed, origin
            assert found.get("access-control-allow-credentials") != "true"


def test_the_number_of_products_is_unchanged_after_all_attempts(site: Site) -> None:
    headers = {"Authorization": f"Bearer {site.keys['admin']}"}
    answer = site.client.post(FACETS, json={"fields": ["product_type"]}, headers=headers).json()
    assert sum(value["products"] for value in answer["facets"][0]["values"]) == len(MAIN)
