"""The pages for staff show rules, synonyms, queries, items in quarantine and models. Their forms change rules and
synonyms, and let encoders try items in quarantine again. These tests need no browser."""

import re
from html import unescape

import httpx
from sqlalchemy import text

from db.engine import Database
from tests.support.web_service import Serve
from tests.web.page.staff.signing_in import OWN, RULE, Keys, sign_in


def skus_for_bag(client: httpx.Client, key: str) -> list[str]:
    """Returns the SKUs of the search for bag, over REST."""
    answer = client.post("/search/text", json={"query": "bag", "top_k": 5}, headers={"Authorization": f"Bearer {key}"})
    return [each["sku"] for each in answer.json()["results"]]


def test_a_live_rule_of_the_page_changes_a_search_and_a_draft_does_not(client: httpx.Client, keys: Keys) -> None:
    sign_in(client, keys["admin"])
    before = skus_for_bag(client, keys["admin"])
    assert before[0] != "sku 3"
    assert client.post("/staff/rules", data=RULE).status_code == 303
    assert skus_for_bag(client, keys["admin"]) == before
    shown = client.get("/staff/rules").text
    assert 'the search is exactly bag</td><td data-name="Then">sku 3 comes at place 1<' in shown
    given = {"rule": re.findall(r'name="rule" value="(\d+)"', shown)[0]}
    live = client.post("/staff/rules/live", data=given, follow_redirects=True)
    assert "The rule is live." in live.text
    assert skus_for_bag(client, keys["admin"])[0] == "sku 3"
    assert client.post("/staff/rules/draft", data=given).status_code == 303
    assert skus_for_bag(client, keys["admin"]) == before
    outdated = {**given, "version": re.findall(r'name="version" value="&#34;(\w+)&#34;"', shown)[0]}
    for action in ("live", "delete"):  # as if somebody else had changed the rule since the page was opened
        answer = client.post(f"/staff/rules/{action}", data={**outdated, "version": f'"{outdated["version"]}"'})
        assert answer.status_code == 412 and "Somebody else has changed the rule." in answer.text
    assert skus_for_bag(client, keys["admin"]) == before
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
    searched = skus_for_bag(client, keys["admin"])
    sign_in(client, keys["admin"])
    seen = client.post("/staff/preview/rules", data=RULE, headers={"HX-Request": "true"})
    assert seen.status_code == 200
    assert "Changed searches: 1 of 1." in seen.text
    assert "nDCG@10 of the judged searches (1): " in seen.text
    assert '<li class="entered">' in seen.text and "<html" not in seen.text
    # The preview also shows a search that nobody has judged. Without HX-Request, the answer is a whole page, and its
    # form keeps the values.
    page = client.post("/staff/preview/rules", data={**RULE, "when_value": "laces"})
    assert "Changed searches: 1 of 2." in page.text
    assert 'value="laces"' in page.text and "<html" in page.text
    synonym = client.post("/staff/preview/synonyms", data={"terms": "bag, laces"})
    assert "Changed searches: " in synonym.text
    refused = client.post(
        "/staff/preview/rules", data={**RULE, "then_value": "sku 999"}, headers={"HX-Request": "true"}
    )
    assert refused.status_code == 422 and "sku 999" in refused.text
    assert skus_for_bag(client, keys["admin"]) == searched
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
    assert re.search(r"couch 3 2 [A-Z][a-z]{2} \d{1,2}, \d{4}", found)
    assert found.index("lamp 6 1 17%") < found.index("chair 6 6 100%")
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


def test_a_rule_of_another_catalog_than_main_becomes_live(client: httpx.Client, keys: Keys) -> None:
    sign_in(client, keys["admin"])
    banner = {**RULE, "then": "banner", "then_value": "Free delivery", "catalog": "other"}
    shown = client.post("/staff/rules", data=banner, follow_redirects=True).text
    given = {"rule": re.findall(r'name="rule" value="(\d+)"', shown)[0], "catalog": "other"}
    assert 'data-name="Status">live' in client.post("/staff/rules/live", data=given, follow_redirects=True).text


def test_one_product_is_tried_again_and_the_others_stay_in_quarantine(
    client: httpx.Client, keys: Keys, own_database: Database
) -> None:
    quarantine = text(
        "insert into shop_private.work (product_id, model_id, part, position, state, error) "
        "select shop.product_id(sku, 'main'), 1, cast(part as shop_private.part), 0, 'quarantined', 'damaged' "
        "from unnest(array['sku 7', 'sku 8']) sku, unnest(array['image', 'title']) part "
        "on conflict (product_id, model_id, part, position) do update set state = 'quarantined', error = 'damaged'"
    )
    with own_database.connect(None) as conn, conn.begin():
        conn.execute(quarantine)
    sign_in(client, keys["admin"])
    shown = client.get("/staff/quarantine").text
    assert shown.count('<input type="hidden" name="sku" value="sku 7">') == 2
    again = client.post("/staff/quarantine/retry", data={"sku": "sku 7", "catalog": "main"}, follow_redirects=True).text
    assert "The encoder tries the product again." in again
    assert "sku 7" not in again and again.count('name="sku" value="sku 8"') == 2
    for sku in ("sku 7", "nothing"):
        gone = client.post("/staff/quarantine/retry", data={"sku": sku, "catalog": "main"})
        assert gone.status_code == 404 and "This product is not in quarantine any more." in gone.text
    assert client.post("/staff/quarantine/retry", data={"sku": "sku 8", "catalog": "other"}).status_code == 404
