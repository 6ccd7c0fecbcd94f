"""Every route that takes input refuses an invalid request with the documented status.

The status is never 500. The body is always a problem document that reveals no internals of the server.
"""

import json
import re
from typing import Any

import httpx
import pytest

TEXT, IMAGE, GENERAL, FACETS = "/search/text", "/search/image", "/search", "/facets"
INTERNALS = re.compile(r'Traceback|File "|/site-packages|\bselect \b|psycopg|pg_temp|plpgsql')
JSON = {"Content-Type": "application/json"}

# A case is a name, a body and the expected status. A body of bytes is sent unchanged, and any other body as JSON.
ANY_SEARCH: list[tuple[str, Any, int]] = [
    ("top_k 0", {"top_k": 0}, 422),
    ("top_k below 0", {"top_k": -1}, 422),
    ("top_k of a billion", {"top_k": 10**9}, 422),
    ("top_k beyond 64 bits", {"top_k": 2**63}, 422),
    ("top_k as a text", {"top_k": "5"}, 422),
    ("top_k with a fraction", {"top_k": 1.5}, 422),
    ("an unknown field", {"topk": 5}, 422),
    ("a filter that is a list", {"filter": []}, 422),
    ("a filter on an unknown field", {"filter": {"prise": 1}}, 422),
    ("a filter with SQL as its key", {"filter": {"price) or (1=1": 1}}, 422),
    ("a filter of another type", {"filter": {"price": "80"}}, 422),
    ("10,001 items in a list", {"filter": {"sku": {"in": ["x"] * 10_001}}}, 422),
    ("1,001 conditions", {"filter": {"or": [{"price": n} for n in range(1001)]}}, 422),
    ("a NUL in a filter", {"filter": {"sku": "\0"}}, 422),
    ("a filter 100 deep", {"filter": json.loads('{"not":' * 100 + "{}" + "}" * 100)}, 422),
    ("a weight below 0", {"weights": {"image": -1}}, 422),
    ("all weights 0", {"weights": {"image": 0, "title": 0, "keyword": 0}}, 422),
    ("an unknown leg", {"weights": {"sound": 1}}, 422),
    ("an invalid page", {"page": "1"}, 422),
    ("the page of another search", {"page": f"{'0' * 32}.1-1.10.10"}, 422),
    ("an unknown catalog", {"catalog": "nowhere"}, 404),
    ("a catalog with SQL", {"catalog": "main'; drop table shop.product; --"}, 404),
    ("a NUL in the catalog", {"catalog": "\0"}, 422),
]
BODIES: list[tuple[str, bytes, int]] = [
    ("nothing", b"", 400),
    ("not JSON", b"{", 400),
    ("a list", b"[]", 422),
    ("null", b"null", 422),
    ("bytes that are not UTF-8", b'{"catalog": "\xff\xfe"}', 400),
    ("NaN", b'{"filter": {"price": NaN}}', 400),
    ("a number out of range", b'{"filter": {"price": 1e999}}', 422),
    ("JSON 5,000 deep", b'{"filter":' * 5000 + b"1" + b"}" * 5000, 400),
    ("a lone surrogate", b'{"catalog": "\\ud800"}', 400),
    ("a field given twice", b'{"top_k": 1, "top_k": 2}', 422),
    ("a field of the filter given twice", b'{"filter": {"price": {"lt": 1}, "price": {"lt": 2}}}', 422),
]
TEXTS: list[tuple[str, Any, int]] = [
    ("an empty text", "", 422),
    ("white space", " \t\n", 422),
    ("10,001 characters", "x" * 10_001, 422),
    ("a NUL", "a\0b", 422),
    ("a number", 5, 422),
    ("null", None, 422),
    ("a character", "x", 200),
    ("10,000 characters", "x" * 10_000, 200),
    ("joined emoji", "👩‍👩‍👧‍👦 👜", 200),
    ("right to left", "حقيبة جلد سوداء", 200),
    ("zero width", "bag\u200b", 200),
    ("SQL", "'; drop table shop.product; --", 200),
]
INPUTS: list[tuple[str, Any, int]] = [
    ("no inputs", [], 422),
    ("21 inputs", [{"text": "bag"}] * 21, 422),
    ("an empty input", [{}], 422),
    ("two things in one", [{"text": "bag", "sku": "sku 1"}], 422),
    ("an unknown product", [{"sku": "nothing"}], 404),
    ("all weights below 0", [{"text": "bag", "weight": -1}], 422),
    ("a weight of 0", [{"text": "bag", "weight": 0}], 422),
    ("inputs that cancel out", [{"text": "bag"}, {"text": "bag", "weight": -1}], 422),
    ("no base64", [{"image": "%%%"}], 422),
    ("a vector without its model", [{"vector": [1] * 24}], 422),
    ("a vector of another dimension", [{"vector": [1] * 23, "model": "toy"}], 422),
    ("a vector of 17,000 numbers", [{"vector": [1] * 17_000, "model": "toy"}], 422),
    ("a zero vector", [{"vector": [0] * 24, "model": "toy"}], 422),
    ("a vector of texts", [{"vector": ["1"] * 24, "model": "toy"}], 422),
    ("a vector beyond half precision", [{"vector": [1e300] * 24, "model": "toy"}], 422),
]


def assert_answer(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    if status >= 400:
        problem = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert problem["type"].startswith("urn:windowshop:problem:")
        assert problem["status"] == status
        assert problem["request_id"] == answer.headers["x-request-id"]
        assert not INTERNALS.search(answer.text), problem


def named(cases: list[tuple[str, Any, int]]) -> Any:
    return [pytest.param(*case[1:], id=case[0]) for case in cases]


@pytest.mark.parametrize(("wrong", "status"), named(ANY_SEARCH))
@pytest.mark.parametrize("path", [TEXT, GENERAL])
def test_invalid_options_of_a_search_are_refused(
    client: httpx.Client, path: str, wrong: dict[str, Any], status: int
) -> None:
    assert_answer(client.post(path, json={"query": "bag", **wrong}), status)


@pytest.mark.parametrize(("body", "status"), named(BODIES))
@pytest.mark.parametrize("path", [TEXT, IMAGE, GENERAL, FACETS])
def test_invalid_bodies_are_refused(client: httpx.Client, path: str, body: bytes, status: int) -> None:
    assert_answer(client.post(path, content=body, headers=JSON), status)


@pytest.mark.parametrize(("query", "status"), named(TEXTS))
@pytest.mark.parametrize("path", [TEXT, GENERAL])
def test_valid_texts_are_searched_and_invalid_texts_are_refused(
    client: httpx.Client, path: str, query: Any, status: int
) -> None:
    assert_answer(client.post(path, json={"query": query}), status)


@pytest.mark.parametrize(("inputs", "status"), named(INPUTS))
def test_invalid_inputs_are_refused(client: httpx.Client, inputs: Any, status: int) -> None:
    assert_answer(client.post(GENERAL, json={"inputs": inputs}), status)


@pytest.mark.parametrize(
    ("body", "status"),
    named(
        [
            ("no fields", {"fields": []}, 422),
            ("an unknown field", {"fields": ["title"]}, 422),
            ("21 fields", {"fields": [f"attributes.{n}" for n in range(21)]}, 422),
            ("SQL as a field", {"fields": ["attributes.x' or 1=1 --"]}, 200),
            ("a NUL", {"fields": ["attributes.\0"]}, 422),
            ("no buckets", {"buckets": 0}, 422),
            ("an unknown catalog", {"catalog": "nowhere"}, 404),
        ]
    ),
)
def test_invalid_facets_are_refused(client: httpx.Client, body: Any, status: int) -> None:
    assert_answer(client.post(FACETS, json=body), status)


@pytest.mark.parametrize(
    ("files", "data", "status"),
    [
        pytest.param({"image": b""}, {}, 422, id="an empty image"),
        pytest.param({"image": b"x" * (10 * 2**20 + 1)}, {}, 422, id="an image over 10 MB"),
        pytest.param({"image": b"x" * 17_000_000}, {}, 413, id="a body over 16 MB"),
        pytest.param({"picture": b"x"}, {}, 422, id="a part of another name"),
        pytest.param([("image", b"x"), ("image", b"y")], {}, 422, id="two images"),
        pytest.param([(f"p{n}", b"x") for n in range(1001)], {}, 400, id="1,001 parts"),
        pytest.param({"image": b"x"}, {"top_k": "many"}, 422, id="top_k in words"),
        pytest.param({"image": b"x"}, {"filter": "{"}, 422, id="a filter that is not JSON"),
        pytest.param({"image": b"x"}, {"filter": "[]"}, 422, id="a filter that is a list"),
    ],
)
def test_invalid_forms_are_refused(client: httpx.Client, files: Any, data: Any, status: int) -> None:
    assert_answer(client.post(IMAGE, files=files, data=data), status)


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("text/plain", b"bag", 415),
        ("multipart/form-data", b"x", 422),
        ("multipart/form-data; boundary=x", b"nothing of the kind", 400),
        ("multipart/form-data; boundary=", b"x", 422),
        ("application/x-www-form-urlencoded", b"image=x", 415),
    ],
)
def test_a_form_with_a_wrong_media_type_or_boundary_is_refused(
    client: httpx.Client, kind: str, body: bytes, status: int
) -> None:
    assert_answer(client.post(IMAGE, content=body, headers={"Content-Type": kind}), status)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/products/nothing/similar", 404),
        ("/products/sku 1/similar?top_k=0", 422),
        ("/products/sku 1/similar?top_k=x", 422),
        ("/products/sku 1/similar?filter={", 422),
        ("/products/sku 1/similar?filter=[]", 422),
        ("/products/sku 1/similar?page=x", 422),
        ("/products/%00/similar", 422),
        (f"/products/{'x' * 201}/similar", 422),
        ("/products/..%2f..%2fetc/similar", 404),
        ("/nowhere", 404),
        ("/search/text", 405),
    ],
)
def test_invalid_addresses_are_refused(client: httpx.Client, path: str, status: int) -> None:
    assert_answer(client.get(path), status)


def test_a_chunked_body_over_the_limit_is_refused(client: httpx.Client) -> None:
    def chunks() -> Any:
        for _ in range(20):
            yield b" " * 1_000_000

    assert_answer(client.post(TEXT, content=chunks(), headers=JSON), 413)


@pytest.mark.parametrize("path", [TEXT, GENERAL, FACETS, "/events"])
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_media_types_that_pages_of_other_sites_can_send_are_refused(client: httpx.Client, path: str, kind: str) -> None:
    assert_answer(client.post(path, content=b'{"query": "bag"}', headers={"Content-Type": kind}), 415)


def test_a_compressed_body_is_not_decompressed(client: httpx.Client) -> None:
    import gzip

    bomb = gzip.compress(b" " * 50_000_000)
    assert_answer(client.post(TEXT, content=bomb, headers={**JSON, "Content-Encoding": "gzip"}), 400)
