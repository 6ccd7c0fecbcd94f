"""The page for staff: who may open it, and what its forms change. These tests need no browser."""

import re
from collections.abc import Iterator
from html import unescape

import httpx
import pytest
from sqlalchemy import text

from db import api_keys
from db.engine import Database
from tests.support.web_service import SETTINGS, Serve, served
from web.page.staff import sessions

OWN = {"Sec-Fetch-Site": "same-origin"}
RULE = {"name": "first", "when": "query", "when_value": "bag", "then": "pin", "then_value": "sku 3", "number": "1"}
PAGES = ("/staff", "/staff/synonyms", "/staff/rules", "/staff/quarantine", "/staff/models")
FORMS = (
    "/staff/synonyms", "/staff/synonyms/delete", "/staff/rules", "/staff/rules/delete", "/staff/rules/live",
    "/staff/rules/draft", "/staff/preview/rules", "/staff/preview/synonyms", "/staff/quarantine/retry",
)  # fmt: skip
Keys = dict[str, str]


@pytest.fixture
def keys(own_database: Database) -> Keys:
    with own_database.connect(None) as conn, conn.begin():
        conn.execute(text("insert into shop.catalog (catalog) values ('other')"))
        conn.execute(text("insert into shop.judgement (query, sku, grade) values ('bag', 'sku 3', 3)"))
        given = {"admin": "admin", "write": "write", "search": "search", "main": "admin", "other": "admin"}
        return {
            name: api_keys.create(conn, name, [scope], catalogs=[name] if name in ("main", "other") else None)
            for name, scope in given.items()
        }


@pytest.fixture
def client(own_database: Database, serve: Serve, keys: Keys) -> Iterator[httpx.Client]:
    with serve(own_database, api_keys="on") as client:
        client.headers.update(OWN)
        yield client


def sign_in(client: httpx.Client, key: str) -> httpx.Response:
    client.cookies.clear()
    return client.post("/staff/sign-in", data={"key": key})


def pages_of(client: httpx.Client, key: str) -> list[str]:
    """Returns the SKUs of the search for bag, over REST."""
    answer = client.post("/search/text", json={"query": "bag", "top_k": 5}, headers={"Authorization": f"Bearer {key}"})
    return [each["sku"] for each in answer.json()["results"]]


def test_without_a_key_and_with_a_lesser_key_nothing_is_shown_and_nothing_is_changed(
    client: httpx.Client, keys: Keys
) -> None:
    for path in PAGES:
        answer = client.get(path)
        assert answer.status_code == 401, path
        assert 'name="key"' in answer.text and "black" not in answer.text
        assert "www-authenticate" not in answer.headers
    for path in FORMS:
        assert client.post(path, data=RULE).status_code == 401, path
    for key, status in ((keys["write"], 403), (keys["search"], 403), ("ws_unknown", 401), ("", 401), ("x" * 500, 401)):
        answer = sign_in(client, key)
        assert answer.status_code == status, key
        assert "set-cookie" not in answer.headers
        assert client.get("/staff").status_code == 401


def test_the_cookie_is_bound_to_the_page_and_does_not_hold_the_key(client: httpx.Client, keys: Keys) -> None:
    answer = sign_in(client, keys["admin"])
    assert (answer.status_code, answer.headers["location"]) == (303, "/staff")
    cookie = answer.headers["set-cookie"]
    assert keys["admin"] not in cookie
    assert {"HttpOnly", "Path=/staff", "SameSite=strict"} <= set(cookie.split("; "))
    assert client.get("/staff").status_code == 200
    name = client.cookies[sessions.COOKIE]
    for path in ("/v1/rules", "/staffers", "/v1/rules?x=/staff"):  # the session acts on this page alone
        assert client.get(path, headers={"Cookie": f"{sessions.COOKIE}={name}"}).status_code in (401, 404)
    client.post("/staff/sign-out")
    assert client.get("/staff", headers={"Cookie": f"{sessions.COOKIE}={name}"}).status_code == 401


def test_the_cookie_is_secure_behind_a_proxy_with_https(own_database: Database, serve: Serve, keys: Keys) -> None:
    from ipaddress import ip_network

    with serve(own_database, api_keys="on", trusted_proxies=[ip_network("127.0.0.0/8")]) as client:
        headers = {**OWN, "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/shop", "X-Forwarded-For": "192.0.2.1"}
        answer = client.post("/staff/sign-in", data={"key": keys["admin"]}, headers=headers)
        assert {"Secure", "Path=/shop/staff"} <= set(answer.headers["set-cookie"].split("; "))
        assert answer.headers["location"] == "/shop/staff"


def test_a_session_ends_after_a_while_and_with_its_key(
    client: httpx.Client, keys: Keys, own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(client, keys["admin"])
    name = client.cookies[sessions.COOKIE]
    for limit in ("IDLE_SECONDS", "LONGEST_SECONDS"):
        with monkeypatch.context() as patch:
            patch.setattr(sessions, limit, -1)
            assert client.get("/staff").status_code == 401
        assert client.get("/staff", headers={"Cookie": f"{sessions.COOKIE}={name}"}).status_code == 401
        sign_in(client, keys["admin"])
        name = client.cookies[sessions.COOKIE]
    with own_database.connect(None) as conn, conn.begin():
        api_keys.revoke(conn, "admin")
    monkeypatch.setattr("web.http.access.CACHE_SECONDS", 0)
    sign_in(client, keys["main"])
    with own_database.connect(None) as conn, conn.begin():
        api_keys.revoke(conn, "main")
    assert client.get("/staff").status_code == 401
    assert 'name="key"' in client.get("/staff").text


ELSEWHERE = (
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "{own}"},
    {"Sec-Fetch-Site": "", "Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "", "Origin": "null"},
    {"Sec-Fetch-Site": ""},
)


def test_a_form_of_another_page_changes_nothing(client: httpx.Client, keys: Keys) -> None:
    own = str(client.base_url).rstrip("/")
    given = {"Sec-Fetch-Site": "", "Origin": own}  # a browser over plain HTTP
    assert client.post("/staff/sign-in", data={"key": keys["admin"]}, headers=given).status_code == 303
    for headers in ELSEWHERE:
        sent = {name: value.format(own=own) for name, value in headers.items()}
        for path in (*FORMS, "/staff/sign-in", "/staff/sign-out"):
            answer = client.post(path, data={**RULE, "key": keys["admin"]}, headers=sent)
            assert answer.status_code == 403, (path, headers)
    assert "There is no rule yet." in client.get("/staff/rules").text


def test_without_keys_the_page_is_open_and_takes_only_its_own_forms(own_database: Database) -> None:
    with served(own_database, SETTINGS) as client:
        assert client.get("/staff").status_code == 200
        assert client.post("/staff/rules", data=RULE, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
        assert client.post("/staff/rules", data=RULE, headers=OWN).status_code == 303
        assert client.get("/staff", headers={"Host": "evil.example"}).status_code == 400


def test_a_key_of_one_catalog_sees_and_changes_only_this_catalog(client: httpx.Client, keys: Keys) -> None:
    sign_in(client, keys["admin"])
    assert client.post("/staff/rules", data={**RULE, "catalog": "main"}).status_code == 303
    for terms, more in (("divan, couch", {}), ("trousers, pants", {"everywhere": "1"})):
        assert client.post("/staff/synonyms", data={"terms": terms, "catalog": "main", **more}).status_code == 303
    rule = re.findall(r'name="rule" value="(\d+)"', client.get("/staff/rules?catalog=main").text)[0]
    own, every = sorted(
        set(re.findall(r'name="synonym" value="(\d+)"', client.get("/staff/synonyms?catalog=main").text))
    )
    sign_in(client, keys["other"])
    for path in PAGES:
        assert client.get(path).status_code == 200
        assert client.get(path, params={"catalog": "main"}).status_code == 403
        assert "<td>main" not in client.get(path).text and "number7" not in client.get(path).text
    assert "first" not in client.get("/staff/rules").text
    assert "divan" not in client.get("/staff/synonyms").text
    other = {"catalog": "other"}
    for path, data in (
        ("/staff/rules", {**RULE, "catalog": "main"}),
        ("/staff/rules/delete", {"rule": rule, **other}),
        ("/staff/rules/live", {"rule": rule, **other}),
        ("/staff/synonyms", {"terms": "a1, b1", "catalog": "main"}),
        ("/staff/synonyms", {"terms": "a1, b1", "everywhere": "1", **other}),
        ("/staff/synonyms/delete", {"synonym": own, **other}),
        ("/staff/synonyms/delete", {"synonym": every, **other}),
        ("/staff/quarantine/retry", {"catalog": "main"}),
        ("/staff/preview/rules", {**RULE, **other}),
        ("/staff/preview/synonyms", {"terms": "a1, b1", **other}),
    ):
        assert client.post(path, data=data).status_code == 403, (path, data)
    sign_in(client, keys["admin"])
    assert "first" in client.get("/staff/rules?catalog=main").text
    assert "trousers" in client.get("/staff/synonyms?catalog=main").text


def test_a_rule_of_the_page_changes_a_search_and_a_draft_does_not(client: httpx.Client, keys: Keys) -> None:
    sign_in(client, keys["admin"])
    before = pages_of(client, keys["admin"])
    assert before[0] != "sku 3"
    assert client.post("/staff/rules", data=RULE).status_code == 303
    assert pages_of(client, keys["admin"]) == before
    shown = client.get("/staff/rules").text
    assert 'the search is exactly bag</td><td data-name="Then">sku 3 comes at place 1<' in shown
    given = {"rule": re.findall(r'name="rule" value="(\d+)"', shown)[0]}
    live = client.post("/staff/rules/live", data=given, follow_redirects=True)
    assert "The rule is live." in live.text
    assert pages_of(client, keys["admin"])[0] == "sku 3"
    assert client.post("/staff/rules/draft", data=given).status_code == 303
    assert pages_of(client, keys["admin"]) == before
    assert client.post("/staff/rules/delete", data=given).status_code == 303
    assert client.post("/staff/rules/delete", data=given).status_code == 404
    assert "There is no rule yet." in client.get("/staff/rules").text


FAULTY = (
    ({"when_value": ""}, "needs a value of the condition"),
    ({"then_value": "sku 999"}, "sku 999"),
    ({"number": "high"}, "The place is a whole number"),
    ({"then": "boost", "then_value": "Nord"}, "This is not a filter."),
    ({"then": "boost", "then_value": '{"brand"'}, "is not valid JSON"),
    ({"then": "explode"}, "no condition or no action"),
    ({"then": "hide_filter", "then_value": "attributes.cost: 1"}, "The attribute cost is hidden."),
    ({"name": " "}, "name"),
    ({"name": "x\0y"}, ""),
)


def test_a_faulty_rule_is_refused_and_the_form_keeps_its_values(own_database: Database, serve: Serve) -> None:
    with serve(own_database, attributes=["weight"]) as client:
        for more, message in FAULTY:
            answer = client.post("/staff/rules", data={**RULE, **more}, headers=OWN)
            assert answer.status_code == 422, more
            assert message in unescape(answer.text), more
            assert 'value="bag"' in answer.text or "when_value" in more
        assert "There is no rule yet." in client.get("/staff/rules").text


def test_a_preview_shows_the_change_and_leaves_nothing_behind(
    client: httpx.Client, keys: Keys, own_database: Database
) -> None:
    rows = text(
        "select (select count(*) from shop.rule), (select count(*) from shop.synonym), "
        "(select array_agg(j::text order by j) from shop.judgement j)"
    )
    with own_database.connect(None) as conn:
        before = conn.execute(rows).one()
    searched = pages_of(client, keys["admin"])
    sign_in(client, keys["admin"])
    seen = client.post("/staff/preview/rules", data=RULE, headers={"HX-Request": "true"})
    assert seen.status_code == 200
    assert "1 of 1 searches change." in seen.text
    assert "nDCG@10 of 1 judged searches" in seen.text
    assert '<li class="entered">' in seen.text and "<html" not in seen.text
    # A search that nobody has judged is shown too, and the whole page keeps the form.
    page = client.post("/staff/preview/rules", data={**RULE, "when_value": "laces"})
    assert "1 of 2 searches change." in page.text
    assert 'value="laces"' in page.text and "<html" in page.text
    synonym = client.post("/staff/preview/synonyms", data={"terms": "bag, laces"})
    assert "searches change." in synonym.text
    refused = client.post(
        "/staff/preview/rules", data={**RULE, "then_value": "sku 999"}, headers={"HX-Request": "true"}
    )
    assert refused.status_code == 422 and "sku 999" in refused.text
    assert pages_of(client, keys["admin"]) == searched
    with own_database.connect(None) as conn:
        assert conn.execute(rows).one() == before


def test_a_synonym_is_added_listed_and_removed(client: httpx.Client, keys: Keys) -> None:
    sign_in(client, keys["admin"])
    added = client.post(
        "/staff/synonyms", data={"terms": "sofa, <b>couch</b>", "from_term": "settee"}, follow_redirects=True
    )
    assert "The synonym is saved." in added.text
    assert "sofa, &lt;b&gt;couch&lt;/b&gt;" in added.text or "&lt;b&gt;couch&lt;/b&gt;, sofa" in added.text
    number = re.findall(r'name="synonym" value="(\d+)"', added.text)[0]
    assert client.post("/staff/synonyms/delete", data={"synonym": "1; drop"}).status_code == 422
    assert client.post("/staff/synonyms/delete", data={"synonym": number}).status_code == 303
    assert client.post("/staff/synonyms/delete", data={"synonym": number}).status_code == 404
    for terms in ("", " , ", "x", ", ".join(f"term{n}" for n in range(200))):
        answer = client.post("/staff/synonyms", data={"terms": terms})
        assert answer.status_code == 422, terms
        assert "There is no synonym yet." in answer.text


def test_a_quarantined_product_is_listed_and_tried_again(
    client: httpx.Client, keys: Keys, own_database: Database
) -> None:
    with own_database.connect(None) as conn, conn.begin():
        conn.execute(
            text(
                "insert into shop_private.work (product_id, model_id, part, position, state, error) "
                "values (shop.product_id('sku 7', 'main'), 1, 'image', 0, 'quarantined', 'the file is damaged') "
                "on conflict (product_id, model_id, part, position) do update set state = 'quarantined', "
                "error = excluded.error"
            )
        )
    state = text(
        "select state::text from shop_private.work where product_id = shop.product_id('sku 7', 'main') "
        "and part = 'image'"
    )
    sign_in(client, keys["admin"])
    shown = client.get("/staff/quarantine").text
    assert "sku 7" in shown and "the file is damaged" in shown
    assert client.post("/staff/quarantine/retry", data={"catalog": "other"}).status_code == 303
    assert "sku 7" in client.get("/staff/quarantine").text
    again = client.post("/staff/quarantine/retry", data={"catalog": "main"}, follow_redirects=True).text
    assert "The encoder tries everything in quarantine again." in again
    assert "Nothing is in quarantine." in again
    with own_database.connect(None) as conn:
        assert conn.scalar(state) == "pending"


def test_queries_without_results_and_with_few_clicks_are_listed(client: httpx.Client, keys: Keys) -> None:
    searches = [{"kind": "search", "query": "couch", "results": 0, "visitor": f"v{n % 2}"} for n in range(3)]
    for n in range(6):
        searches += [
            {"kind": "search", "query": "lamp", "results": 9, "search_id": f"lamp{n}"},
            {"kind": "search", "query": "chair", "results": 9, "search_id": f"chair{n}"},
            {"kind": "click", "search_id": f"chair{n}", "sku": "sku 1"},
            {"kind": "click", "search_id": f"chair{n}", "sku": "sku 2"},
        ]
    searches += [{"kind": "click", "query": "lamp", "sku": "sku 1", "search_id": "lamp0"}]
    searches += [{"kind": "search", "query": "rare", "results": 9}]
    headers = {"Authorization": f"Bearer {keys['write']}"}
    assert client.post("/v1/events", json={"events": searches}, headers=headers).status_code in (200, 201, 202, 204)
    sign_in(client, keys["admin"])
    page = re.sub(r"<[^>]+>", " ", client.get("/staff").text)
    found = " ".join(page.split())
    assert re.search(r"couch 3 2 \d{4}-\d\d-\d\d", found)
    assert found.index("lamp 6 1 17 %") < found.index("chair 6 6 100 %")
    assert "rare" not in found
    assert "laces" in found  # a text in the cache of vectors
    sign_in(client, keys["main"])
    assert "Asked often" not in client.get("/staff").text


def test_the_models_and_the_encoder_are_shown(client: httpx.Client, keys: Keys) -> None:
    sign_in(client, keys["admin"])
    shown = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", client.get("/staff/models").text))
    assert "No encoder of toy runs." in shown
    assert "toy serving toy" in shown
    assert "main toy 60 60 0 0 0" in shown


def test_requests_of_a_session_count_for_its_key_and_a_refusal_is_a_page(
    own_database: Database, serve: Serve, keys: Keys
) -> None:
    with serve(own_database, api_keys="on", rate_per_key=3, rate_per_address=5) as client:
        client.headers.update(OWN)
        sign_in(client, keys["admin"])
        answers = [client.get("/staff") for _ in range(4)]
        assert [each.status_code for each in answers] == [200, 200, 200, 429]
        assert answers[-1].headers["content-type"] == "text/html; charset=utf-8"
        assert "Too many requests" in answers[-1].text and "retry-after" in answers[-1].headers
        client.cookies.clear()
        guesses = [client.post("/staff/sign-in", data={"key": f"ws_{n}"}).status_code for n in range(6)]
        assert guesses[-1] == 429


def test_the_page_can_be_off_and_shoppers_get_no_cookie(own_database: Database, serve: Serve) -> None:
    with serve(own_database, staff_page=False) as client:
        assert client.get("/staff").status_code == 404
    with serve(own_database, public_page=False) as client:
        assert client.get("/staff").status_code == 200
        assert client.get("/").status_code == 404
    with serve(own_database) as client:
        for path in ("/", "/?q=bag", "/staff", "/nowhere"):
            assert "set-cookie" not in client.get(path).headers
        policy = client.get("/staff").headers["content-security-policy"]
        assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
