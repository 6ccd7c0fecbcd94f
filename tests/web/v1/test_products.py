"""Products are changed field by field, deleted by list and by filter, and exported. Catalogs are listed and deleted."""

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from db import api_keys
from db.catalog import catalogs
from db.engine import Database
from db.search import rules, synonyms
from tests.support.processes import wait_until
from tests.support.web_service import PRODUCTS, SETTINGS, Serve, served
from web.api.v1 import catalogs as v1_catalogs
from web.api.v1 import export
from web.http.problems import ApiError

A_PRODUCT = {
    "sku": "P/1", "title": "A coat", "price": 20, "currency": "EUR", "color": "red", "quantity": 3,
    "attributes": {"lining": "silk", "care": {"wash": 30, "iron": True}},
    "images": ["https://cdn.example/a.jpg", "https://cdn.example/b.jpg"],
}  # fmt: skip


@pytest.fixture
def client(serve: Serve, own_database: Database, image_folder: Any) -> Iterator[httpx.Client]:
    with serve(own_database, image_root=image_folder) as client:
        yield client


def patch(client: httpx.Client, sku: str, body: Any, **params: Any) -> httpx.Response:
    return client.patch(f"/v1/products/{sku}", json=body, params=params)


def test_a_patch_changes_the_named_fields_only(client: httpx.Client) -> None:
    client.put("/v1/products", json={"products": [A_PRODUCT]}).raise_for_status()
    before = client.get("/v1/products/P%2F1").json()
    answer = patch(
        client, "P%2F1", {"price": "12.50", "color": None, "attributes": {"lining": None, "care": {"wash": 40}}}
    )
    assert answer.json() == {"sku": "P/1", "status": "updated", "reason": None, "not_stored": []}
    after = client.get("/v1/products/P%2F1").json()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"price", "color", "attributes", "effective_price", "updated_at"}
    assert (after["price"], after["color"]) == (12.5, None)
    assert after["attributes"] == {"care": {"wash": 40, "iron": True}}
    again = patch(client, "P%2F1", {"price": 12.5, "color": None, "attributes": {"lining": None}})
    assert again.json()["status"] == "unchanged"
    assert client.get("/v1/products/P%2F1").json() == after


def test_a_patch_replaces_or_clears_images_and_encodes_only_what_changed(
    client: httpx.Client, own_database: Database
) -> None:
    def waiting() -> list[tuple[str, int]]:
        with own_database.connect(None) as conn:
            found = conn.execute(text("select part::text, position from shop_private.work order by 1, 2"))
            return [(row[0], row[1]) for row in found]

    def uris() -> list[str]:
        return [picture["url"] for picture in client.get("/v1/products/P%2F1").json()["pictures"]]

    client.put("/v1/products", json={"products": [A_PRODUCT]}).raise_for_status()
    with own_database.connect(None) as conn, conn.begin():
        conn.execute(text("delete from shop_private.work"))
    assert patch(client, "P%2F1", {"price": 5}).json()["status"] == "updated"
    assert waiting() == []
    patch(client, "P%2F1", {"title": "A blue coat"}).raise_for_status()
    assert waiting() == [("title", 0)]
    patch(client, "P%2F1", {"images": ["https://cdn.example/a.jpg", "https://cdn.example/c.jpg"]}).raise_for_status()
    assert waiting() == [("image", 1), ("title", 0)]
    assert uris() == ["https://cdn.example/a.jpg", "https://cdn.example/c.jpg"]
    patch(client, "P%2F1", {"images": None}).raise_for_status()
    assert uris() == []


@pytest.mark.parametrize(
    ("sku", "body", "status", "detail"),
    [
        ("nobody", {"price": 1}, 404, "no such product"),
        ("sku 1", {}, 422, "names no field"),
        ("sku 1", {"cost": 1}, 422, "unknown field `cost`"),
        ("sku 1", {"sku": "other"}, 422, "unknown field `sku`"),
        ("sku 1", {"title": None}, 422, "title is empty"),
        ("sku 1", {"price": -1}, 422, "negative"),
        ("sku 1", {"attributes": [1]}, 422, "attributes is an object or null"),
        ("sku 1", {"images": ["ftp://x/a.jpg"]}, 422, "ftp"),
        ("sku 1", {"availability": "perhaps"}, 422, "perhaps"),
    ],
)
def test_a_faulty_patch_changes_nothing(
    client: httpx.Client, sku: str, body: dict[str, Any], status: int, detail: str
) -> None:
    before = client.get("/v1/products/sku 1").json()
    answer = patch(client, sku, body)
    assert answer.status_code == status, answer.text
    assert detail in answer.json()["detail"]
    assert client.get("/v1/products/sku 1").json() == before


def test_the_sale_dates_of_a_patch_are_checked_together_with_the_stored_dates(client: httpx.Client) -> None:
    sale = {"sale_price": 1, "sale_starts_at": "2026-03-01", "sale_ends_at": "2026-04-01T00:00:00+02:00"}
    patch(client, "sku 1", sale).raise_for_status()
    before = client.get("/v1/products/sku 1").json()
    for body in (
        {"sale_starts_at": "2026-05-01"},
        {"sale_ends_at": "2026-02-01"},
        {"sale_starts_at": "2026-05-02", "sale_ends_at": "2026-05-01"},
    ):
        answer = patch(client, "sku 1", body)
        assert answer.status_code == 422, answer.text
        assert "before it starts" in answer.json()["detail"]
    assert client.get("/v1/products/sku 1").json() == before
    assert patch(client, "sku 1", {"price": 3}).json()["reason"] is None
    patch(client, "sku 1", {"sale_starts_at": "2026-05-01", "sale_ends_at": None}).raise_for_status()
    after = client.get("/v1/products/sku 1").json()
    assert (after["sale_price"], after["sale_ends_at"]) == (1, None)


def test_a_private_attribute_of_a_patch_is_not_stored(client: httpx.Client) -> None:
    answer = patch(client, "sku 1", {"attributes": {"supplier": "Acme", "glaze": "blue"}})
    assert answer.json()["not_stored"] == ["supplier"]
    attributes = client.get("/v1/products/sku 1").json()["attributes"]
    assert attributes == {"strap_cm": 1, "glaze": "blue"}


# --- deleting


def delete(client: httpx.Client, **body: Any) -> httpx.Response:
    return client.post("/v1/delete-products", json=body)


def total(client: httpx.Client) -> int:
    return int(client.post("/v1/search", json={"top_k": 1}).json()["total"])


def test_products_are_deleted_by_a_list(client: httpx.Client) -> None:
    answer = delete(client, skus=["sku 1", "nobody", "sku 2", "sku 1"])
    assert answer.json() == {"deleted": 2, "not_found": ["nobody"], "more": False}
    assert total(client) == PRODUCTS - 2


def test_products_are_deleted_by_a_filter(client: httpx.Client) -> None:
    assert delete(client, filter={"color": "red"}).json() == {"deleted": 20, "not_found": [], "more": False}
    assert delete(client, filter={"color": "red"}).json()["deleted"] == 0
    assert total(client) == PRODUCTS - 20


def test_the_filter_of_a_deletion_has_at_most_20_levels_and_1000_conditions(client: httpx.Client) -> None:
    filter_: dict[str, Any] = {"color": "red"}
    for _ in range(20):
        filter_ = {"and": [filter_]}
    assert "more than 20" in delete(client, filter={"and": [filter_]}).json()["detail"]
    conditions: list[dict[str, Any]] = [{"color": "red"}] * 1000
    assert "more than 1000" in delete(client, filter={"or": [*conditions, {}]}).json()["detail"]
    assert total(client) == PRODUCTS
    assert delete(client, filter=filter_).json()["deleted"] == 20
    assert delete(client, filter={"or": [{"color": "black"}, *conditions[1:]]}).json()["deleted"] == 20


def test_only_the_products_of_the_named_catalog_decide_whether_a_deletion_needs_a_confirmation(
    client: httpx.Client,
) -> None:
    body = {"products": [{"sku": "o", "title": "other", "color": "red"}], "catalog": "second", "create": True}
    client.put("/v1/products", json=body).raise_for_status()
    assert delete(client, filter={"color": "red"}, catalog="second").status_code == 422
    assert delete(client, filter={"color": "red"}, catalog="nowhere").status_code == 404
    assert delete(client, filter={"color": "red"}).json()["deleted"] == 20
    assert delete(client, filter={"color": "red"}, catalog="second", all=True).json()["deleted"] == 1


def test_a_product_that_stops_passing_the_filter_before_it_is_locked_is_not_deleted(
    client: httpx.Client, own_database: Database
) -> None:
    statement = text(
        "select exists (select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database())"
    )

    def waits_for_the_lock() -> Any:
        with own_database.connect(None) as watching:
            return watching.scalar(statement)

    answers: list[httpx.Response] = []
    thread = threading.Thread(target=lambda: answers.append(delete(client, filter={"color": "red"})))
    with own_database.connect(None) as conn, conn.begin():
        conn.execute(text("update shop.product set color = 'blue' where sku = 'sku 3'"))
        thread.start()
        wait_until(waits_for_the_lock, 30, "the deletion waits")
    thread.join()
    assert answers[0].json() == {"deleted": 19, "not_found": [], "more": False}
    assert client.get("/v1/products/sku 3").json()["color"] == "blue"


@pytest.mark.parametrize("filter_", [{}, {"price": {"gte": 0}}, {"currency": "EUR"}])
def test_a_filter_that_every_product_passes_needs_a_confirmation(client: httpx.Client, filter_: dict[str, Any]) -> None:
    refused = delete(client, filter=filter_)
    assert refused.status_code == 422
    assert refused.json()["detail"] == "every product of the catalog passes the filter"
    assert '"all": true' in refused.json()["hint"]
    assert total(client) == PRODUCTS
    assert delete(client, filter=filter_, all=True).json()["deleted"] == PRODUCTS
    assert total(client) == 0


def test_a_request_deletes_at_most_a_thousand_products(client: httpx.Client) -> None:
    for part in range(2):
        products = [{"sku": f"N {part} {n}", "title": "new"} for n in range(600)]
        client.put("/v1/products", json={"products": products}).raise_for_status()
    assert delete(client, filter={"currency": None}).json() == {"deleted": 1000, "not_found": [], "more": True}
    assert delete(client, filter={"currency": None}).json() == {"deleted": 200, "not_found": [], "more": False}
    assert total(client) == PRODUCTS


@pytest.mark.parametrize(
    "body", [{}, {"skus": ["sku 1"], "filter": {"color": "red"}}, {"skus": []}, {"skus": ["a"] * 1001}, {"filter": 3}]
)
def test_a_faulty_deletion_deletes_nothing(client: httpx.Client, body: dict[str, Any]) -> None:
    assert delete(client, **body).status_code == 422
    assert total(client) == PRODUCTS


# --- export


def lines(client: httpx.Client, **params: Any) -> list[dict[str, Any]]:
    answer = client.get("/v1/export-products", params=params).raise_for_status()
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in answer.text.splitlines()]


def test_an_export_can_be_put_again(client: httpx.Client) -> None:
    client.put("/v1/products", json={"products": [A_PRODUCT]}).raise_for_status()
    exported = lines(client)
    assert len(exported) == PRODUCTS + 1
    # This PUT stores the versions of the image files, which the fixture did not store.
    client.put("/v1/products", json={"products": exported}).raise_for_status()
    outcomes = client.put("/v1/products", json={"products": exported}).json()["products"]
    assert {outcome["status"] for outcome in outcomes} == {"unchanged"}
    assert lines(client) == exported


def test_an_export_has_the_products_that_pass_the_filter(client: httpx.Client) -> None:
    red = lines(client, filter='{"color": "red", "title": {"contains": "RED s"}}')
    assert {product["color"] for product in red} == {"red"}
    assert len(red) == 10
    assert lines(client, filter='{"color": "nothing"}') == []
    assert client.get("/v1/export-products", params={"filter": '{"nonsense": 1}'}).status_code == 422
    assert client.get("/v1/export-products", params={"filter": "{"}).status_code == 422
    assert client.get("/v1/export-products", params={"catalog": "nobody"}).status_code == 404


def test_a_hidden_attribute_is_not_exported(serve: Serve, own_database: Database) -> None:
    with serve(own_database, attributes=["weight"]) as client:
        assert all("strap_cm" not in product.get("attributes", {}) for product in lines(client))


def test_a_slow_reader_holds_back_the_export_and_a_third_export_is_refused() -> None:
    async def check() -> None:
        slots, written = export.limiter(8), 0
        chunks: asyncio.Queue[bytes] = asyncio.Queue(1)

        async def produce() -> None:
            nonlocal written
            for _ in range(50):
                await chunks.put(b"x")
                written += 1

        first = export.stream(slots, chunks, produce)
        second = export.stream(slots, asyncio.Queue(1), lambda: asyncio.sleep(60))
        assert await anext(first) == b"x"
        waiting = asyncio.ensure_future(anext(second))
        await asyncio.sleep(0.1)
        assert written <= 3
        with pytest.raises(ApiError, match="Too many requests"):
            await anext(export.stream(slots, asyncio.Queue(1), produce))
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert len([chunk async for chunk in first]) == 49
        again = export.stream(slots, asyncio.Queue(1), lambda: asyncio.sleep(0))
        assert [chunk async for chunk in again] == []

    asyncio.run(check())


# --- catalogs


def test_catalogs_are_listed_and_deleted(client: httpx.Client, own_database: Database) -> None:
    body = {"products": [{"sku": f"S {n}", "title": "sample"} for n in range(5)], "catalog": "sample", "create": True}
    client.put("/v1/products", json=body).raise_for_status()
    client.post(
        "/v1/events", json={"events": [{"kind": "search", "query": "a", "catalog": "sample"}]}
    ).raise_for_status()
    with own_database.connect(None) as conn, conn.begin():
        rules.add(conn, rules.NewRule("r", '{"contains": "bag"}', '{"pin": "S 1", "at": 1}', catalog="sample"))
        synonyms.add(conn, ["bag", "sack"], catalog="sample")
    listed = {row["catalog"]: row for row in client.get("/v1/catalogs").json()["catalogs"]}
    assert (listed["sample"]["products"], listed["sample"]["counts_are"]) == (5, "exact")
    assert listed["main"]["products"] == PRODUCTS
    assert client.delete("/v1/catalogs/sample").json() == {"deleted": 5, "more": False}
    assert client.delete("/v1/catalogs/sample").status_code == 404
    assert [row["catalog"] for row in client.get("/v1/catalogs").json()["catalogs"]] == ["main"]
    assert total(client) == PRODUCTS
    with own_database.connect(None) as conn:
        for table in ("event", "rule", "synonym"):
            assert conn.scalar(text(f"select count(*) from shop.{table} where catalog = 'sample'")) == 0


def test_a_catalog_with_many_events_is_deleted_in_batches(
    monkeypatch: pytest.MonkeyPatch, client: httpx.Client, own_database: Database
) -> None:
    monkeypatch.setattr(v1_catalogs, "_OTHERS", 40)
    body = {"products": [{"sku": "S", "title": "sample"}], "catalog": "sample", "create": True}
    client.put("/v1/products", json=body).raise_for_status()
    with own_database.connect(None) as conn:
        with conn.begin():
            conn.execute(
                text("insert into shop.event (kind, catalog) select 'search', 'sample' from generate_series(1, 100)")
            )
        with conn.begin():
            assert catalogs.delete_others(conn, "sample", 30) == 30
        assert client.delete("/v1/catalogs/sample").json() == {"deleted": 1, "more": False}
        with conn.begin():
            assert conn.scalar(text("select count(*) from shop.event where catalog = 'sample'")) == 0
    assert client.delete("/v1/catalogs/sample").status_code == 404


def test_a_key_sees_and_deletes_only_its_catalogs(own_database: Database) -> None:
    with own_database.connect(None) as conn, conn.begin():
        berlin = api_keys.create(conn, "berlin", ["write"], catalogs=["berlin"])
        reader = api_keys.create(conn, "red", ["search"], filter_={"color": "red"})
    with served(own_database, SETTINGS.model_copy(update={"api_keys": "on"})) as client:
        client.headers["Authorization"] = f"Bearer {berlin}"
        assert client.get("/v1/catalogs").json() == {"catalogs": []}
        assert client.delete("/v1/catalogs/main").status_code == 403
        assert patch(client, "sku 1", {"price": 1}).status_code == 403
        assert delete(client, skus=["sku 1"]).status_code == 403
        assert client.get("/v1/export-products").status_code == 403
        client.headers["Authorization"] = f"Bearer {reader}"
        assert client.get("/v1/catalogs").status_code == 403
        assert client.get("/v1/products/sku 1/encoding").status_code == 404
        assert client.get("/v1/export-products").status_code == 403
