"""Only the faulty items of a batch are refused. A batch is refused as a whole if all of its items are faulty, or if its
catalog does not exist and `create` is not true."""

import httpx
import pytest

from db.engine import Database
from tests.support.web_service import Serve, cache


@pytest.fixture
def writing(own_database: Database, serve: Serve) -> httpx.Client:  # type: ignore[misc]
    with serve(own_database) as client:
        yield client


def test_a_product_that_cannot_be_read_is_rejected_and_the_others_are_stored(writing: httpx.Client) -> None:
    items = [
        {"sku": "good", "title": "A red bag"},
        {"sku": "typo", "title": "A blue bag", "colour": "blue"},
        {"sku": "bare"},
        5,
        {"sku": 17, "title": "A number as SKU"},
    ]
    answer = writing.put("/products", json={"products": items})
    outcomes = answer.json()["products"]
    assert [one["sku"] for one in outcomes] == ["good", "typo", "bare", "", "17"]
    assert [one["status"] for one in outcomes] == ["inserted", "rejected", "rejected", "rejected", "inserted"]
    assert "`colour`" in outcomes[1]["reason"]
    assert "`title`" in outcomes[2]["reason"]
    assert "object" in outcomes[3]["reason"]
    assert writing.get("/products/good").status_code == 200
    assert writing.get("/products/typo").status_code == 404


def test_an_event_that_cannot_be_read_is_listed_and_the_others_are_recorded(writing: httpx.Client) -> None:
    given = [{"kind": "search", "query": "bag"}, {"kind": "look"}, {"kind": "click", "sku": "sku 1", "rank": 0}, None]
    answer = writing.post("/events", json={"events": given})
    assert answer.status_code == 201
    assert answer.json()["recorded"] == 1
    assert [one["place"] for one in answer.json()["refused"]] == [1, 2, 3]
    assert "`$.rank`" in answer.json()["refused"][1]["reason"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/products", {"products": [{"sku": "x", "title": "y", "colour": "red"}, 5]}),
        ("/events", {"events": [{"kind": "look"}]}),
    ],
)
def test_a_batch_without_an_item_that_can_be_read_is_refused(client: httpx.Client, path: str, body: object) -> None:
    answer = client.request("PUT" if path == "/products" else "POST", path, json=body)
    assert answer.status_code == 422
    assert "first item" in answer.json()["detail"]


def test_a_missing_catalog_is_refused_unless_the_member_create_is_true(writing: httpx.Client) -> None:
    body = {"products": [{"sku": "x", "title": "y"}], "catalog": "mian"}
    refused = writing.put("/products", json=body)
    assert (refused.status_code, refused.json()["type"]) == (404, "urn:windowshop:problem:not-found")
    assert "mian" in refused.json()["detail"]
    assert '"create": true' in refused.json()["hint"]
    assert writing.put("/products", json=body | {"create": True}).json()["products"][0]["status"] == "inserted"
    assert writing.put("/products", json=body).json()["products"][0]["status"] == "unchanged"


def test_the_catalog_main_needs_no_create_in_an_empty_shop(writing: httpx.Client, own_database: Database) -> None:
    with own_database.connect(None) as conn, conn.begin():
        conn.exec_driver_sql("delete from shop.product")
        conn.exec_driver_sql("delete from shop.catalog")
    assert writing.put("/products", json={"products": [{"sku": "x", "title": "y"}]}).status_code == 200


@pytest.mark.parametrize(
    ("spelling", "has_steps"), [("true", True), ("On", True), ("1", True), ("no", False), ("FALSE", False)]
)
def test_a_boolean_of_a_form_may_have_any_usual_spelling(
    client: httpx.Client, shop_database: Database, spelling: str, has_steps: bool
) -> None:
    form = {"explain": spelling, "top_k": "2"}
    with shop_database.connect(None) as conn, conn.begin():
        cache(conn, b"i", b"a cached image", None, 3)
    for path in ("/search/image/file", "/search/image"):
        answer = client.post(path, data=form, files={"image": b"a cached image"})
        assert bool(answer.raise_for_status().json()["explain"]) == has_steps
    wrong = client.post("/search/image/file", data={"explain": "perhaps"}, files={"image": b"x"})
    assert wrong.status_code == 422
    assert "explain" in wrong.json()["detail"]
