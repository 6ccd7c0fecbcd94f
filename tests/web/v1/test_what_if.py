"""With an admin key, `/v1/what-if` shows the effect of changes on judged searches. It changes nothing, and refuses
faulty changes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from db import api_keys
from db.engine import Database
from tests.support.processes import wait_until
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


def test_the_changed_pages_and_their_quality_are_returned(keyed: Keyed) -> None:
    client, keys = keyed
    answer = client.post("/v1/what-if", json={"changes": [RULE], "k": 5}, headers=keys["admin"])
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["queries"], found["judged"], found["changed"]) == (1, 1, 1)
    [page] = found["pages"]
    assert page["after"] == ["sku 3", *page["before"][:4]]
    assert (page["entered"], page["gone"], page["moved"]) == (["sku 3"], page["before"][4:], page["before"][:4])
    assert found["quality"] == page["quality"]
    assert found["quality"]["ndcg_after"] == 1.0 > found["quality"]["ndcg_before"]
    assert client.get("/v1/rules", headers=keys["admin"]).json()["rules"] == []


def test_faulty_changes_are_refused_with_the_reason(keyed: Keyed) -> None:
    client, keys = keyed
    hidden = {"products": {"filter": {"attributes.cost": 1}, "price": 1}}
    for body, message in (
        ({"changes": []}, "changes"),
        ({"changes": [{"x": 1}]}, "change 1: it must be an object with exactly one of"),
        ({"changes": [{"rule": {**RULE["rule"], "name": ""}}]}, "change 1: the name of a rule must have 1 to 100"),
        ({"changes": [{"remove_rule": "none"}]}, "there is no rule 'none'"),
        ({"changes": [RULE], "suite": "none"}, "suite 'none' has no judgements"),
        ({"changes": [hidden]}, "The attribute cost is hidden."),
        ({"changes": [{"rule": {**RULE["rule"], "action": {"hide": hidden["products"]["filter"]}}}]}, "cost is hidden"),
        ({"changes": [{"signal": {"name": "s", "view": "shop.product"}}]}, "A signal of a new view is not possible"),
    ):
        answer = client.post("/v1/what-if", json=body, headers=keys["admin"])
        assert answer.status_code == 422, (body, answer.text)
        assert message in answer.json()["detail"]


def test_keys_without_the_scope_admin_and_keys_limited_to_catalogs_are_refused(keyed: Keyed) -> None:
    client, keys = keyed
    for name in ("write", "some"):
        assert client.post("/v1/what-if", json={"changes": [RULE]}, headers=keys[name]).status_code == 403


def test_requests_leave_connections_for_writes_and_end_with_their_clients(keyed: Keyed, own_database: Database) -> None:
    client, keys = keyed
    running = text(
        "select count(*) from pg_stat_activity where datname = current_database() and state = 'active' "
        "and query like '%shop.what_if(%' and pid <> pg_backend_pid()"
    )

    def running_requests() -> int:
        with own_database.connect(None) as watching:
            return int(watching.scalar(running) or 0)

    def ask() -> int:
        try:
            answer = client.post("/v1/what-if", json={"changes": [RULE]}, headers=keys["admin"], timeout=2)
        except httpx.ReadTimeout:
            return 0
        return answer.status_code

    with own_database.connect(None) as held, held.begin(), ThreadPoolExecutor(4) as pool:
        # Each what-if request saves a rule, and saving a rule waits for the lock on this row.
        held.execute(text("update shop.signal set weight = 0 where name = 'stock'"))
        asked = [pool.submit(ask) for _ in range(4)]
        wait_until(lambda: running_requests() == 1, 2, "a running request")
        product = {"products": [{"sku": "new", "title": "new"}]}
        assert client.put("/v1/products", json=product, headers=keys["write"]).status_code == 200
        assert running_requests() == 1
        assert sorted(one.result() for one in asked) == [0, 0, 0, 503]
        wait_until(lambda: running_requests() == 0, 2, "the end of the requests")
