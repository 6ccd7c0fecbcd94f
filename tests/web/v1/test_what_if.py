"""Admin keys ask what changes would do to judged searches. Nothing is changed, and faulty changes are refused."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from db import api_keys
from db.engine import Database
from tests.support.web_service import Serve

RULE: dict[str, Any] = {"rule": {"name": "r", "condition": {"query": "bag"}, "action": {"pin": "sku 3", "at": 1}}}
LIMITS: dict[str, dict[str, Any]] = {"some": {"catalogs": ["main"]}}
Keyed = tuple[httpx.Client, dict[str, dict[str, str]]]  # a client and the header of each key


@pytest.fixture
def keyed(own_database: Database, serve: Serve) -> Iterator[Keyed]:
    with own_database.connect(None) as conn, conn.begin():
        conn.execute(text("insert into shop.judgement (query, sku, grade) values ('bag', 'sku 3', 3)"))
        keys = {
            name: {"Authorization": f"Bearer {api_keys.create(conn, name, [scope], **LIMITS.get(name, {}))}"}
            for name, scope in (("write", "write"), ("admin", "admin"), ("some", "admin"))
        }
    with serve(own_database, api_keys="on", attributes=["weight"]) as client:
        yield client, keys


def test_the_changed_pages_and_their_quality_are_told(keyed: Keyed) -> None:
    client, keys = keyed
    answer = client.post("/v1/what-if", json={"changes": [RULE], "k": 5}, headers=keys["admin"])
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["queries"], told["judged"], told["changed"]) == (1, 1, 1)
    [page] = told["pages"]
    assert page["after"] == ["sku 3", *page["before"][:4]]
    assert (page["entered"], page["gone"], page["moved"]) == (["sku 3"], page["before"][4:], page["before"][:4])
    assert told["quality"] == page["quality"]
    assert told["quality"]["ndcg_after"] == 1.0 > told["quality"]["ndcg_before"]
    assert client.get("/v1/rules", headers=keys["admin"]).json()["rules"] == []


def test_faulty_changes_are_refused_with_the_reason(keyed: Keyed) -> None:
    client, keys = keyed
    hidden = {"products": {"filter": {"attributes.cost": 1}, "price": 1}}
    for body, message in (
        ({"changes": []}, "changes"),
        ({"changes": [{"x": 1}]}, "change 1: it is not an object with one of"),
        ({"changes": [{"rule": {**RULE["rule"], "name": ""}}]}, "change 1: the name of a rule is not 1 to 100"),
        ({"changes": [{"remove_rule": "none"}]}, "there is no rule 'none'"),
        ({"changes": [RULE], "suite": "none"}, "suite 'none' has no judgements"),
        ({"changes": [hidden]}, "The attribute cost is hidden."),
        ({"changes": [{"rule": {**RULE["rule"], "action": {"hide": hidden["products"]["filter"]}}}]}, "cost is hidden"),
        ({"changes": [{"signal": {"name": "s", "view": "shop.product"}}]}, "A signal of a new view is not possible"),
    ):
        answer = client.post("/v1/what-if", json=body, headers=keys["admin"])
        assert answer.status_code == 422, (body, answer.text)
        assert message in answer.json()["detail"]


def test_other_keys_are_refused(keyed: Keyed) -> None:
    client, keys = keyed
    for name in ("write", "some"):
        assert client.post("/v1/what-if", json={"changes": [RULE]}, headers=keys[name]).status_code == 403
