"""The setting `attributes` names the attributes that REST shows. Filters, facets, sorts and groups cannot read
any other attribute."""

from collections.abc import Iterator

import httpx
import pytest
from sqlalchemy import text

from db.engine import Database
from db.roles import Role
from tests.support.web_service import Serve
from web.api.attributes import ShownAttributes
from web.http.problems import ApiError
from web.settings import WebSettings

INSERT = """
insert into shop.product (product_id, sku, title, attributes)
values (shop.product_id('S-1', 'main'), 'S-1', 'Shown', '{"glaze": "matt", "cost": 3, "No. of straps": 2}')"""


@pytest.fixture
def own_client(serve: Serve, own_database: Database) -> Iterator[httpx.Client]:
    with own_database.connect(Role.APP) as conn, conn.begin():
        conn.execute(text(INSERT))
    with serve(own_database, attributes=["glaze", "No. of straps"]) as client:
        yield client


def test_rest_shows_only_the_named_attributes(own_client: httpx.Client) -> None:
    assert own_client.get("/products/S-1").json()["attributes"] == {"glaze": "matt", "No. of straps": 2}
    for filter_ in (
        {"attributes.cost": 3},
        {"attributes.cost.deep": {"gt": 1}},
        {"or": [{"brand": "Acme"}, {"not": {"attributes.cost": {"exists": True}}}]},
    ):
        for path, body in (("/search/text", {"query": "shown"}), ("/facets", {}), ("/search", {"query": "shown"})):
            answer = own_client.post(path, json={**body, "filter": filter_})
            assert (answer.status_code, answer.json()["detail"]) == (422, "The attribute cost is hidden.")
    assert own_client.post("/facets", json={"fields": ["attributes.cost"]}).status_code == 422
    assert own_client.post("/facets", json={"fields": ["attributes.glaze"]}).status_code == 200
    deep = '{"not": ' * 90 + '{"attributes.cost": 3}' + "}" * 90
    answer = own_client.post("/facets", content=f'{{"filter": {deep}}}', headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["detail"]) == (422, "The attribute cost is hidden.")
    shown = {"fields": ["brand"], "filter": {"attributes.No\\. of straps": 2}}
    assert own_client.post("/facets", json=shown).status_code == 200


def test_a_filter_with_more_values_than_the_database_accepts_is_refused() -> None:
    shown = ShownAttributes(["glaze"])
    shown.check({"sku": {"in": [None] * 262_000}})
    with pytest.raises(ApiError, match="more than 300,000 values"):
        shown.check({"sku": {"in": [None] * 300_001}})


@pytest.mark.parametrize(
    "option",
    [
        {"group_by": "attributes.cost"},
        {"group_by": "attributes.cost.deep"},
        {"sort": "attributes.cost"},
        {"sort": 'title, "attributes.cost" desc'},
        {"sort": "title asc,attributes.glaze,attributes.cost.deep DESC"},
        {"sort": "\u2003attributes.cost"},
    ],
)
def test_neither_a_sort_nor_groups_can_use_a_hidden_attribute(own_client: httpx.Client, option: dict[str, str]) -> None:
    answers = [
        own_client.get("/products/S-1/similar", params=option),
        own_client.get("/v1/products/S-1/similar", params=option),
        *(own_client.post(path, json={"query": "shown", **option}) for path in ("/search/text", "/search")),
        own_client.post("/v1/search", json={"query": "shown", **option}),
        own_client.post("/v1/search", json={"inputs": [{"text": "shown"}], **option}),
    ]
    if "sort" in option:
        answers.append(own_client.post("/v1/search", json=option))
    for answer in answers:
        assert (answer.status_code, answer.json()["detail"]) == (422, "The attribute cost is hidden.")


def test_a_sort_and_groups_can_use_attributes_that_are_shown(own_client: httpx.Client) -> None:
    for option in ({"sort": "attributes.glaze"}, {"sort": 'title, "attributes.No\\. of straps" desc'}):
        assert own_client.post("/v1/search", json=option).status_code == 200
    answer = own_client.post("/v1/search", json={"sort": 'title, "attributes.cost'})
    assert (answer.status_code, answer.json()["detail"]) == (422, "sort cannot be read at ' \"attributes.cost'.")


def test_the_name_of_an_attribute_is_read_as_the_database_reads_it() -> None:
    shown = ShownAttributes(["glaze"])
    for field in (r"attributes.gl\aze", r"attributes.glaze\.x", r"attributes.glaze\\.x", "attributes.glaze\\\nx"):
        with pytest.raises(ApiError):
            shown.check({field: 1})
    for sort in (
        '"attributes.a""b"',
        "attributes.glaze\u2003",
        "attributes.glaze\x1c",
        'attributes.glaze "attributes.x"',
    ):
        with pytest.raises(ApiError):
            shown.check(None, sort=sort)
    ShownAttributes(['a"b, c']).check(None, sort=' "attributes.a""b, c" desc')
    ShownAttributes([r"a\b", "a.b"]).check({r"attributes.a\b": 1, r"attributes.a\.b.c": 1})


def test_all_attributes_are_shown_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert WebSettings.read().attributes == ["*"]
    monkeypatch.setenv("WINDOWSHOP_WEB_ATTRIBUTES", "glaze, weight")
    assert WebSettings.read().attributes == ["glaze", "weight"]
