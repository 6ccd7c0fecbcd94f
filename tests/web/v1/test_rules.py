"""Admin keys list, save, read, replace and delete rules. Searches follow live rules. Faulty rules are refused."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from db import api_keys
from db.engine import Database
from db.roles import Role
from db.search import rules
from tests.support.web_service import Serve

RULE: dict[str, Any] = {"name": "r", "condition": {"contains": "bag"}, "action": {"pin": "sku 7", "at": 1}}
SEARCH = {"query": "bag", "weights": {"keyword": 0, "title": 0}, "top_k": 5}
Keyed = tuple[httpx.Client, dict[str, dict[str, str]]]  # a client and the header of each key


@pytest.fixture
def keyed(own_database: Database, serve: Serve) -> Iterator[Keyed]:
    limits: dict[str, Any] = {"other": {"catalogs": ["other"]}}
    with own_database.connect(None) as conn, conn.begin():
        keys = {
            name: {"Authorization": f"Bearer {api_keys.create(conn, name, [scope], **limits.get(name, {}))}"}
            for name, scope in (
                ("search", "search"), ("write", "write"), ("admin", "admin"), ("other", "admin"),
            )
        }  # fmt: skip
    with serve(own_database, api_keys="on") as client:
        yield client, keys


def test_a_rule_is_saved_followed_replaced_and_deleted(keyed: Keyed) -> None:
    client, keys = keyed
    client.headers = keys["admin"]  # type: ignore[assignment]

    def skus() -> list[str]:
        return [one["sku"] for one in client.post("/v1/search", json=SEARCH).json()["results"]]

    before = skus()
    assert before[0] != "sku 7"
    created = client.post("/v1/rules", json=RULE)
    assert created.status_code == 201, created.text
    rule = created.json()
    assert rule == {**rule, **RULE, "catalog": "main", "status": "draft", "priority": 0, "valid_from": None}
    address = f"/v1/rules/{rule['rule_id']}"
    assert client.get(address).json() == rule
    assert client.get("/v1/rules", params={"catalog": "main"}).json() == {"rules": [rule], "next": None}
    assert client.get("/v1/rules", params={"after": rule["rule_id"]}).json()["rules"] == []
    assert skus() == before  # the rule is a draft
    live = client.put(address, json={**RULE, "status": "live", "valid_from": "2026-01-01T00:00:00+01:00"})
    assert live.status_code == 200, live.text
    assert live.json()["valid_from"] == "2025-12-31T23:00:00Z"
    assert skus()[0] == "sku 7"
    assert client.put(address, json={**RULE, "status": "live", "valid_from": "2999-01-01T00:00:00Z"}).is_success
    assert skus() == before
    assert client.delete(address).status_code == 204
    for answer in (client.delete(address), client.get(address), client.put(address, json=RULE)):
        assert answer.status_code == 404
        assert answer.json()["detail"] == f"There is no rule {rule['rule_id']}."


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"name": "taken"}, "there is already a rule 'taken'"),
    ({"name": " "}, "$.name"),
    ({"catalog": "none", "action": {"banner": "x"}}, "there is no catalog 'none'"),
    ({"condition": {}}, "the condition needs exactly one of"),
    ({"condition": {"filter": {"nonsense": 1}}}, "nonsense"),
    ({"action": {"fly": 1}}, "the action needs exactly one of"),
    ({"action": {"pin": "none", "at": 1}}, "there is no product 'none' in catalog 'main'"),
    ({"action": {"pin": "sku 1", "at": 0}}, 'pin needs "at", a place from 1 to 100'),
    (
        {"action": {"pin": "sku 2", "at": 1}, "condition": {"query": "x"}, "status": "live"},
        "'taken' pins a product",
    ),
    ({"action": {"signals": {"none": 1}}}, "none"),
    ({"valid_from": "2026-02-01T00:00:00Z", "valid_to": "2026-01-01T00:00:00Z"}, "valid_to must be later"),
    ({"valid_from": "2026-02-01T00:00:00"}, "valid_from"),
    ({"status": "gone"}, "$.status"),
    ({"more": 1}, "more"),
]


def test_a_faulty_rule_is_refused_with_the_reason(keyed: Keyed) -> None:
    client, keys = keyed
    taken = {"name": "taken", "condition": {"query": "x"}, "action": {"pin": "sku 1", "at": 1}, "status": "live"}
    kept = client.post("/v1/rules", json=taken, headers=keys["admin"]).raise_for_status().json()
    for change, message in FAULTS:
        answer = client.post("/v1/rules", json={**RULE, **change}, headers=keys["admin"])
        assert answer.status_code == 422, change
        assert message in answer.json()["detail"]
    assert client.get("/v1/rules", headers=keys["admin"]).json()["rules"] == [kept]


def test_keys_without_the_scope_admin_or_for_another_catalog_do_not_reach_rules(keyed: Keyed) -> None:
    client, keys = keyed
    rule = client.post("/v1/rules", json=RULE, headers=keys["admin"]).raise_for_status().json()
    address = f"/v1/rules/{rule['rule_id']}"
    for name in ("search", "write", "other"):
        assert client.post("/v1/rules", json={**RULE, "name": name}, headers=keys[name]).status_code == 403
        assert client.get("/v1/rules", headers=keys[name]).status_code == 403
        assert client.get("/v1/signals", headers=keys[name]).status_code == 403
    for name in ("search", "write"):
        assert client.get(address, headers=keys[name]).status_code == 403
        assert client.put(address, json=RULE, headers=keys[name]).status_code == 403
        assert client.delete(address, headers=keys[name]).status_code == 403
    assert client.put(address, json=RULE, headers=keys["other"]).status_code == 403
    # A rule of another catalog gets the same answer as a rule that does not exist.
    for one in (address, "/v1/rules/999"):
        for answer in (
            client.get(one, headers=keys["other"]),
            client.put(one, json={**RULE, "catalog": "other"}, headers=keys["other"]),
            client.delete(one, headers=keys["other"]),
        ):
            assert (answer.status_code, answer.json()["detail"]) == (404, f"There is no rule {one[10:]}.")
    assert client.get(address, headers=keys["admin"]).json() == rule


def test_an_admin_key_lists_the_signals(keyed: Keyed) -> None:
    client, keys = keyed
    found = client.get("/v1/signals", headers=keys["admin"]).raise_for_status().json()["signals"]
    assert [one["name"] for one in found] == ["discount", "freshness", "popularity", "rating", "stock"]
    assert found[0] == {**found[0], "source": None, "weight": 0.0, "visible": "all", "problem": None}


def test_a_change_of_an_outdated_version_is_refused(keyed: Keyed) -> None:
    client, keys = keyed
    client.headers = keys["admin"]  # type: ignore[assignment]
    created = client.post("/v1/rules", json=RULE)
    address, first = f"/v1/rules/{created.json()['rule_id']}", created.headers["etag"]
    assert client.get(address).headers["etag"] == first
    assert client.get(address, headers={"If-None-Match": first}).status_code == 304
    second = client.put(address, json={**RULE, "priority": 1}, headers={"If-Match": f'"other", W/{first}'})
    assert second.status_code == 200 and second.headers["etag"] != first
    for outdated in (first, '"other"', '""', '"0"', '"fffffffffffff"'):
        lost = client.put(address, json={**RULE, "priority": 2}, headers={"If-Match": outdated})
        kept = client.delete(address, headers={"If-Match": outdated})
        for answer in (lost, kept):
            assert (answer.status_code, answer.json()["type"]) == (412, "urn:windowshop:problem:changed"), outdated
    assert client.get(address, headers={"If-None-Match": first}).json() == second.json()
    for faulty in ("", "7", '"', "W/", '"a" "b"', "*, *"):
        assert client.put(address, json=RULE, headers={"If-Match": faulty}).status_code == 422, faulty
    last = client.put(address, json=RULE)  # without If-Match, the last write wins
    assert client.delete(address, headers={"If-Match": last.headers["etag"]}).status_code == 204
    for headers in ({"If-Match": "*"}, {"If-Match": first}):
        assert client.delete(address, headers=headers).status_code == 404


def test_if_none_match_prevents_the_replacement_of_a_rule(keyed: Keyed) -> None:
    client, keys = keyed
    client.headers = keys["admin"]  # type: ignore[assignment]
    created = client.post("/v1/rules", json=RULE)
    address, tag = f"/v1/rules/{created.json()['rule_id']}", created.headers["etag"]
    for named in ("*", tag, f'"other", W/{tag}'):
        answer = client.put(address, json={**RULE, "priority": 1}, headers={"If-None-Match": named})
        assert (answer.status_code, answer.json()["type"]) == (412, "urn:windowshop:problem:changed"), named
    assert client.get(address, headers={"If-None-Match": "*"}).status_code == 304
    assert client.get(address).json() == created.json()
    assert client.put(address, json=RULE, headers={"If-None-Match": '"other"'}).status_code == 200
    assert client.put("/v1/rules/999", json=RULE, headers={"If-None-Match": "*"}).status_code == 404


def test_a_rule_that_has_moved_to_another_catalog_is_not_changed(own_database: Database) -> None:
    with own_database.connect(None) as conn, conn.begin():
        conn.execute(text("insert into shop.catalog (catalog) values ('other')"))
    with own_database.connect(Role.APP) as conn, conn.begin():
        old = rules.add(conn, rules.NewRule("r", '{"always": true}', '{"banner": "x"}'))
        moved = rules.replace(conn, old, rules.NewRule("r", old.condition, old.action, catalog="other"))
        assert moved is not None
        for versions in (None, [moved.updated_at]):
            assert rules.replace(conn, old, rules.NewRule("r", old.condition, old.action), versions) is None
            assert not rules.switch(conn, old, "live", versions)
            assert not rules.remove(conn, old, versions)
        assert rules.find(conn, old.rule_id) == moved


def test_of_several_changes_of_the_same_version_only_one_is_saved(keyed: Keyed) -> None:
    client, keys = keyed
    created = client.post("/v1/rules", json=RULE, headers=keys["admin"])
    address, headers = f"/v1/rules/{created.json()['rule_id']}", {**keys["admin"], "If-Match": created.headers["etag"]}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: client.put(address, json={**RULE, "priority": n}, headers=headers), range(8)))
    assert sorted(each.status_code for each in answers) == [200, *[412] * 7]
    saved = next(each for each in answers if each.status_code == 200)
    assert client.get(address, headers=keys["admin"]).json() == saved.json()
