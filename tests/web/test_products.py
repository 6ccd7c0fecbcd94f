"""The API stores valid products and events in the database and reports each invalid product with a reason."""

import json
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from db.catalog import validation
from db.engine import Database
from db.roles import Role
from tests.support.web_service import Serve

ADDRESS = "https://cdn.example/a.jpg"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def writing_client(serve: Serve, own_database: Database, image_folder: Any) -> Any:
    with serve(own_database, image_root=image_folder) as client:
        yield client


def rows(database: Database, statement: str) -> list[Any]:
    with database.connect(Role.APP) as conn:
        return list(conn.execute(text(statement)).all())


def put(client: httpx.Client, *products: dict[str, Any], catalog: str = "main") -> list[tuple[str, str | None]]:
    answer = client.put("/products", json={"products": list(products), "catalog": catalog})
    assert answer.status_code == 200, answer.text
    return [(outcome["status"], outcome["reason"]) for outcome in answer.json()["products"]]


def test_a_product_is_inserted_then_unchanged_then_updated(
    writing_client: httpx.Client, own_database: Database
) -> None:
    given = {"sku": "N-1", "title": "A new thing", "price": 12.5, "currency": "EUR", "images": [ADDRESS, "7.png"]}
    assert put(writing_client, given) == [("inserted", None)]
    assert put(writing_client, given) == [("unchanged", None)]
    assert put(writing_client, {**given, "price": "13.00 EUR"}) == [("updated", None)]
    assert put(writing_client, {**given, "price": "13.00 EUR", "images": ["7.png"]}) == [("updated", None)]
    [(price, uris)] = rows(
        own_database,
        "select price, (select array_agg(uri) from shop.product_image i where i.product_id = p.product_id) "
        "from shop.product p where sku = 'N-1'",
    )
    assert (str(price), uris) == ("13.00", ["7.png"])


def test_a_changed_title_is_encoded_again_and_a_changed_price_encodes_nothing(
    writing_client: httpx.Client, own_database: Database
) -> None:
    before = writing_client.get("/products/sku 1").json()
    given = {name: before[name] for name in ("sku", "title", "brand", "product_type", "price", "currency", "color")}
    given |= {"attributes": before["attributes"], "images": ["1.png"]}

    def waiting() -> list[str]:
        with own_database.connect(None) as conn:
            return list(conn.execute(text("select part::text from shop_private.work")).scalars())

    with own_database.connect(None) as conn, conn.begin():
        conn.execute(text("delete from shop_private.work"))
    assert put(writing_client, {**given, "price": 2}) == [("updated", None)]
    assert waiting() == []
    assert put(writing_client, {**given, "price": 2, "title": "another title"}) == [("updated", None)]
    assert waiting() == ["title"]


def test_products_with_a_faulty_sku_or_title_are_rejected_with_a_reason(
    writing_client: httpx.Client, own_database: Database
) -> None:
    outcomes = put(
        writing_client,
        {"sku": "ok", "title": "Fine"},
        {"sku": "ok", "title": "Twice"},
        {"sku": "", "title": "No SKU"},
        {"sku": "no title", "title": " "},
        {"sku": "nul", "title": "a\0b"},
        {"sku": "null", "title": None},
        {"sku": {}, "title": "x"},
    )
    assert outcomes[0] == ("inserted", None)
    for status, reason in outcomes[1:]:
        assert status == "rejected"
        assert reason
    assert rows(own_database, "select title from shop.product where sku in ('ok', 'null')") == [("Fine",)]


FAULTY: list[dict[str, Any]] = [
    {"sku": "negative", "title": "x", "price": -1},
    {"sku": "huge", "title": "x", "price": 1e300},
    {"sku": "outside", "title": "x", "images": ["../../etc/passwd"]},
    {"sku": "absolute", "title": "x", "images": ["/etc/passwd"]},
    {"sku": "scheme", "title": "x", "images": ["file:///etc/passwd"]},
    {"sku": "money", "title": "x", "currency": "coins"},
    {"sku": "attribute", "title": "x", "attributes": {"a\0": 1}},
    {"sku": "deep", "title": "x", "attributes": json.loads('{"a":' * 30 + "1" + "}" * 30)},
    {"sku": "code", "title": "x", "link": "javascript:alert(1)"},
    {"sku": "code of an image", "title": "x", "image_link": "data:text/html,x"},
]


def test_a_faulty_value_is_omitted_with_a_reason_and_strict_rejects_the_product(
    writing_client: httpx.Client, own_database: Database
) -> None:
    answer = writing_client.put("/products", json={"products": FAULTY, "strict": True})
    assert {outcome["status"] for outcome in answer.json()["products"]} == {"rejected"}
    assert all(status == "inserted" and reason for status, reason in put(writing_client, *FAULTY))
    columns = "title, price, currency, link, image_link, attributes"
    assert rows(own_database, f"select distinct {columns} from shop.product where title = 'x'") == [
        ("x", None, None, None, None, {})
    ]
    assert (
        rows(own_database, "select 1 from shop.product_image join shop.product using (product_id) where title = 'x'")
        == []
    )


def test_a_product_that_the_database_refuses_does_not_stop_the_other_products(
    writing_client: httpx.Client, own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(validation.MAX_LENGTHS, "title", 5000)
    products = [{"sku": f"r{n}", "title": "x" * (3000 if n == 3 else 5)} for n in range(8)]
    outcomes = put(writing_client, *products)
    assert [status for status, _ in outcomes] == ["inserted"] * 3 + ["rejected"] + ["inserted"] * 4


def test_image_paths_are_omitted_if_the_service_has_no_image_root(serve: Serve, own_database: Database) -> None:
    with serve(own_database) as client:
        [(status, reason)] = put(client, {"sku": "a", "title": "x", "images": ["7.png", ADDRESS]})
        assert status == "inserted" and reason is not None
        assert reason.startswith(
            'image "7.png" is not an http(s), s3 or gs address, and paths need WINDOWSHOP_WEB_IMAGE_ROOT'
        )
    assert rows(own_database, "select uri from shop.product_image where uri = '7.png'") == [("7.png",)]


def test_a_body_that_gives_a_name_twice_is_refused(client: httpx.Client) -> None:
    product = '{"sku": "a", "title": "a", "attributes": {"color": "red", "color": "blue"}}'
    answer = client.put(
        "/products", content=f'{{"products": [{product}]}}', headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    assert '"color" is given twice' in answer.json()["detail"]


def test_a_body_with_an_attribute_500_levels_deep_is_refused(client: httpx.Client) -> None:
    product = '{"sku": "a", "title": "a", "attributes": {"x": ' + "[" * 500 + "]" * 500 + "}}"
    answer = client.put(
        "/products", content=f'{{"products": [{product}]}}', headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    assert "nested too deep" in answer.json()["detail"]


def test_a_request_with_the_etag_of_an_unchanged_product_gets_304(client: httpx.Client) -> None:
    answer = client.get("/products/sku 7")
    assert answer.status_code == 200
    product = answer.json()
    assert product["title"] == "black shoes number7"
    assert product["price"] == 10.5
    assert product["pictures"][0]["url"].startswith("/images/")
    again = client.get("/products/sku 7", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/products/sku 7", params={"catalog": "other"}).status_code == 404


def test_a_deleted_product_is_not_found_by_search(writing_client: httpx.Client) -> None:
    assert writing_client.delete("/products/sku 9").status_code == 204
    assert writing_client.delete("/products/sku 9").status_code == 404
    assert writing_client.get("/products/sku 9").status_code == 404
    found = writing_client.post("/search/text", json={"query": "bag", "top_k": 1000}).json()["results"]
    assert len(found) == 59
    assert "sku 9" not in [result["sku"] for result in found]


def test_events_are_stored_as_rows_that_join_with_products(
    writing_client: httpx.Client, own_database: Database
) -> None:
    answer = writing_client.post(
        "/events",
        json={
            "events": [
                {"kind": "search", "visitor": "v", "query": "bag", "results": 10},
                {"kind": "click", "visitor": "v", "query": "bag", "sku": "sku 3", "rank": 2},
            ]
        },
    )
    assert (answer.status_code, answer.json()) == (201, {"recorded": 2})
    assert rows(
        own_database,
        "select e.kind, e.rank, p.title from shop.event e left join shop.product p using (catalog, sku) order by 1",
    ) == [("click", 2, "red shoes number3"), ("search", None, None)]


@pytest.mark.parametrize(
    "body",
    [
        {"events": []},
        {"events": [{"kind": "look"}]},
        {"events": [{"kind": "click", "rank": 0}]},
        {"events": [{"kind": "click", "visitor": "x" * 201}]},
        {"events": [{"kind": "click", "visitor": "a\0"}]},
        {"events": [{"kind": "search", "results": 2**63}]},
        {"events": [{"kind": "click"}] * 1001},
    ],
)
def test_an_invalid_list_of_events_is_refused(client: httpx.Client, body: Any) -> None:
    assert client.post("/events", json=body).status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        {"products": []},
        {"products": [{"sku": "x", "title": "y"}] * 1001},
        {"products": [{"sku": "x"}]},
        {"products": [{"sku": "x", "title": "y", "colour": "red"}]},
        {"products": [{"sku": "x", "title": "y"}], "strict": 1},
        {"products": [{"sku": "x", "title": "y"}], "catalog": "No Name"},
    ],
)
def test_an_invalid_list_of_products_is_refused_as_a_whole(client: httpx.Client, body: Any) -> None:
    assert client.put("/products", json=body).status_code == 422


def test_facet_values_keep_their_json_type(writing_client: httpx.Client) -> None:
    rows = [
        {"sku": str(n), "title": "Thing", "attributes": {"flag": v}}
        for n, v in enumerate([True, "true", "true", 10, "10"])
    ]
    writing_client.put("/products", json={"catalog": "typed", "products": rows, "create": True}).raise_for_status()
    body = writing_client.post("/facets", json={"catalog": "typed", "fields": ["attributes.flag"]}).json()
    values = [(one["value"], one["products"]) for one in body["facets"][0]["values"]]
    assert {(type(v), v, n) for v, n in values} == {(str, "true", 2), (int, 10, 1), (str, "10", 1), (bool, True, 1)}
    for one in body["facets"][0]["values"]:
        for filter_ in (one["filter"], {"attributes.flag": one["value"]}):
            body = {"query": "thing", "catalog": "typed", "filter": filter_}
            found = writing_client.post("/search/text", json=body).json()
            assert found["total"] == len(found["results"]) == one["products"]
