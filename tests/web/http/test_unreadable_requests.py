"""A request that cannot be read gets a problem that names the fault, often with its place and what to send instead."""

import socket
from typing import Any

import httpx
import msgspec
import pytest

from web.http.bodies import hint_of

JSON = {"Content-Type": "application/json"}


def refusal(client: httpx.Client, content: bytes, path: str = "/v1/search") -> dict[str, Any]:
    answer = client.post(path, content=content, headers=JSON)
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b'{"query": "bag",}', " at position 1"),  # Python 3.13 names the comma, and older versions name the bracket
        (b'{"query": "bag",\n "top_k": 5 "cut": null}', "Expecting ',' delimiter at line 2, position 13"),
        (b'{"query": "bag"', "Expecting ',' delimiter at position 16"),
        (b'\xef\xbb\xbf{"query": "bag"}', "it begins with a byte order mark"),
        ('{"query": "bag"}'.encode("utf-16"), "byte 1 is not UTF-8"),
        (b'{"query": "\\ud800"}', "a surrogate has no pair at position 12"),
        (b'{"max_gap": NaN}', "NaN is not a number"),
        (b'{"filter": ' * 5000 + b"1" + b"}" * 5000, "nested too deep"),
    ],
)
def test_the_fault_of_a_body_and_its_place_are_named(client: httpx.Client, content: bytes, fault: str) -> None:
    problem = refusal(client, content)
    assert (problem["status"], problem["type"]) == (400, "urn:windowshop:problem:malformed")
    assert problem["detail"].startswith("The body is not valid JSON: ")
    assert fault in problem["detail"]


def test_the_fault_of_a_filter_in_an_address_is_named(client: httpx.Client) -> None:
    problem = client.get("/v1/products/sku 1/similar", params={"filter": '{"brand": }'}).json()
    assert (problem["status"], problem["detail"]) == (422, "filter is not valid JSON: Expecting value at position 11.")


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        (b'{"query": "bag", "cut": "foo"}', "The values are relevant."),
        (b'{"query": "bag", "fields": ["title", "nope"]}', "color, compare_at_price, condition, currency, description"),
        (b'{"image": "data:image/png;base64,iVBORw0KGgo="}', "without a prefix such as data:image/png;base64"),
        (b'{"image_url": "data:image/png;base64,iVBORw0KGgo="}', "begins with http:// or https://"),
    ],
)
def test_a_hint_says_which_values_are_allowed(client: httpx.Client, body: bytes, hint: str) -> None:
    problem = refusal(client, body)
    assert problem["status"] == 422
    assert hint in problem["hint"]


def test_the_error_of_an_item_of_a_batch_lists_the_allowed_values(client: httpx.Client) -> None:
    detail = refusal(client, b'{"events": [{"kind": "look"}]}', "/v1/events")["detail"]
    assert detail.endswith("`$.kind`. The values are add_to_cart, click, purchase, search, view, wishlist"), detail


def test_a_message_without_a_list_of_values_has_no_hint() -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.json.decode(b'["x"]', type=list[int])
    assert hint_of(refused.value, list[int]) == ""


def raw(client: httpx.Client, request: bytes) -> tuple[int, dict[str, Any], str]:
    with socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=30) as connection:
        connection.sendall(request)
        head, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")
    return int(head.split()[1]), msgspec.json.decode(body), head.decode().lower()


@pytest.mark.parametrize(
    ("request_", "status", "kind", "detail"),
    [
        (b"FOO /health HTTP/1.1\r\nHost: localhost\r\n\r\n", 501, "method-unknown", ""),
        (b"get /health HTTP/1.1\r\nHost: localhost\r\n\r\n", 501, "method-unknown", ""),
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400, "malformed", "Invalid HTTP request"),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 400, "malformed", "longer than 65,535 bytes"),
    ],
)
def test_bytes_that_are_no_request_get_a_problem_with_an_id(
    client: httpx.Client, request_: bytes, status: int, kind: str, detail: str
) -> None:
    found, problem, head = raw(client, request_)
    assert (found, problem["status"], problem["type"]) == (status, status, f"urn:windowshop:problem:{kind}")
    assert detail in problem.get("detail", "")
    assert f"x-request-id: {problem['request_id']}" in head


def test_a_patch_may_be_sent_as_a_merge_patch(client: httpx.Client) -> None:
    merge_patch = {"Content-Type": "application/merge-patch+json"}
    answer = client.patch("/v1/products/nobody", content=b'{"title": "x"}', headers=merge_patch)
    assert answer.status_code == 404
    refused = client.patch("/v1/products/nobody", content=b"{}", headers={"Content-Type": "text/plain"})
    assert refused.json()["detail"] == "Send application/json or application/merge-patch+json."
    assert client.post("/v1/search", content=b"{}", headers=merge_patch).status_code == 415
    document = client.get("/openapi/openapi.json").json()
    assert [*document["paths"]["/v1/products/{sku}"]["patch"]["requestBody"]["content"]] == [
        "application/json",
        "application/merge-patch+json",
    ]


def test_the_openapi_document_states_enums_and_lengths_and_no_nulls_in_forms(client: httpx.Client) -> None:
    document = client.get("/openapi/openapi.json").json()
    for path in ("/v1/products/{sku}", "/v1/images/{product_id}"):
        assert "content" not in document["paths"][path]["get"]["responses"]["304"]
    parts = document["components"]["schemas"]["ImageForm"]["properties"]
    assert not [name for name, part in parts.items() if "null" in str(part) or "None" in str(part)]
    assert parts["cut"]["enum"] == ["relevant"]
    for path in ("/v1/export-products", "/v1/products/{sku}/similar"):
        given = document["paths"][path]["get"]["parameters"]
        [filter_] = [one for one in given if one["name"] == "filter"]
        assert '"maxLength":60000' in msgspec.json.encode(filter_).decode() and "65,535" in filter_["description"]
