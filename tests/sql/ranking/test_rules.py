"""Rules of a shop change searches: they pin, hide, boost or bury products, add filters, weight signals, replace the
query, and return a redirect or a banner."""

import json
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, text

from db.errors import DatabaseError
from db.roles import Role
from tests.sql.ranking.rules import QUERY, SEARCH, SKUS, TINY, found, save
from tests.support.shop import Shop, product


def test_a_rule_pins_a_product_at_a_place(stocked: Shop) -> None:
    analyst = stocked.connect(Role.ANALYST)
    before = found(analyst)
    last = before[-1]
    save(stocked, "pin", {"query": "Red  SHOES!"}, {"pin": last, "at": 2})
    assert found(analyst) == [before[0], last, *before[1:-1]]
    assert found(analyst, more=", rules => 'off'") == before
    rows = analyst.execute(text(SEARCH.format("")), {"query": "red shoes"}).all()
    assert {tuple(row.rules) for row in rows} == {("pin",)}
    assert found(analyst, "shoes") == found(analyst, "shoes", ", rules => 'off'")  # the condition is not met
    assert last not in found(analyst, more=f""", filter => '{{"sku": {{"ne": "{last}"}}}}'""")  # the filter wins


def test_a_pinned_product_keeps_its_place_over_pages(stocked: Shop) -> None:
    analyst = stocked.connect(Role.ANALYST)
    before = found(analyst)
    save(stocked, "pin", {"always": True}, {"pin": before[7], "at": 1})
    seen, after = [], None
    for _ in range(4):
        rows = analyst.execute(
            text("select sku, cursor from shop.search('red shoes', k => 2, keyword_weight => 0, after => :after)"),
            {"after": after},
        ).all()
        seen += [row.sku for row in rows]
        after = rows[-1].cursor
    assert seen[0] == before[7]
    assert sorted(seen) == SKUS


def pages(conn: Connection, query: str, more: str, k: int) -> list[str]:
    """Returns the products of up to ten pages of k rows."""
    seen: list[str] = []
    after = None
    for _ in range(10):
        statement = (
            f"select sku, cursor, has_next from shop.search(:query, k => {k}, after => :after{more}) order by rank"
        )
        rows = conn.execute(text(statement), {"query": query, "after": after}).all()
        seen += [row.sku for row in rows]
        after = rows[-1].cursor
        if not rows[-1].has_next:
            break
    return seen


@pytest.mark.parametrize("k", [2, 8])
def test_pins_keep_their_places_among_diverse_products_and_groups(stocked: Shop, k: int) -> None:
    stocked.run("update shop.product set color = 'colour ' || right(sku, 1)::integer / 2")
    stocked.cache("s3", seed=3)
    analyst = stocked.connect(Role.ANALYST)
    last = found(analyst)[-1]
    save(stocked, "pin", QUERY, {"pin": last, "at": 3})
    diverse = pages(analyst, "red shoes", ", diversity => 0.9", k)
    assert diverse[2] == last
    assert sorted(diverse) == SKUS
    groups = pages(analyst, "red shoes", ", group_by => 'color'", k)
    assert groups[2] == last
    assert sorted(int(sku[1:]) // 2 for sku in groups) == [0, 1, 2, 3]
    both = pages(analyst, "red shoes", ", group_by => 'color', diversity => 0.9", k)
    assert both[2] == last
    # The product that the text names stays in front of all that are not pinned.
    save(stocked, "first", {"query": "s3"}, {"pin": "s5", "at": 1})
    assert pages(analyst, "s3", ", diversity => 1", k)[:2] == ["s5", "s3"]


@pytest.mark.parametrize("hidden", ["s3", {"brand": "Nord"}])
def test_a_rule_hides_a_product_or_the_products_that_pass_a_filter(stocked: Shop, hidden: Any) -> None:
    save(stocked, "hide", {"contains": "shoes"}, {"hide": hidden})
    left = set(SKUS) - ({"s3"} if hidden == "s3" else {"s1", "s3", "s5", "s7"})
    analyst = stocked.connect(Role.ANALYST)
    assert set(found(analyst)) == set(found(analyst, "shoes")) == left
    assert set(found(analyst, "warm winter coat")) == set(SKUS)
    [total] = {row[0] for row in analyst.exec_driver_sql("select total from shop.search('shoes')")}
    assert total == len(left)


def test_rules_boost_and_bury_the_products_that_pass_a_filter(stocked: Shop) -> None:
    analyst = stocked.connect(Role.ANALYST)
    save(stocked, "boost", {"always": True}, {"boost": {"brand": "Nord"}, "factor": 50})
    assert set(found(analyst)[:4]) == {"s1", "s3", "s5", "s7"}
    stocked.run("delete from shop.rule")
    save(stocked, "bury", {"always": True}, {"bury": {"brand": "Nord"}, "factor": 0})
    assert set(found(analyst)[:4]) == {"s0", "s2", "s4", "s6"}


def test_rules_add_a_filter_and_set_weights_of_signals(stocked: Shop) -> None:
    analyst = stocked.connect(Role.ANALYST)
    save(stocked, "only", {"category": "bags"}, {"filter": {"brand": "Alp"}})
    assert set(found(analyst, more=""", filter => '{"product_type": "bags"}'""")) == {"s0", "s2", "s4", "s6"}
    assert set(found(analyst)) == set(SKUS)
    stocked.run("update shop.product set availability = case sku when 's5' then 'in_stock' else 'out_of_stock' end")
    save(stocked, "stock", {"filter": {"brand": "Nord"}}, {"signals": {"stock": 10}})
    assert found(analyst, more=""", filter => '{"brand": "Nord", "product_type": {"ne": "x"}}'""")[0] == "s5"


def test_a_rule_replaces_the_query(stocked: Shop) -> None:
    analyst = stocked.connect(Role.ANALYST)
    other = found(analyst, "warm winter coat")
    assert found(analyst) != other
    save(stocked, "replace", {"query": "red shoes"}, {"query": "warm winter coat"})
    assert found(analyst) == other


def test_a_rule_applies_to_queries_with_a_similar_meaning(stocked: Shop) -> None:
    analyst = stocked.connect(Role.ANALYST)
    stocked.cache("crimson shoes", seed=0)  # the vector of "red shoes"
    save(stocked, "near", {"similar": "crimson shoes", "threshold": 0.9}, {"pin": found(analyst)[-1], "at": 1})
    assert found(analyst) != found(analyst, more=", rules => 'off'")
    assert found(analyst, "shoes") == found(analyst, "shoes", ", rules => 'off'")


def test_rules_with_the_condition_similar_need_a_query_vector(stocked: Shop) -> None:
    stocked.cache("crimson shoes", seed=0)
    stocked.cache("sandals", seed=1)
    for name in ("crimson shoes", "sandals"):
        save(stocked, name, {"similar": name}, {"hide": "s1"})
    analyst = stocked.connect(Role.ANALYST)

    def rules(query: str, more: str) -> list[tuple[int, str]]:
        """Returns `found` and `note` of the step "rules" of shop.explain_search."""
        step = f"select found, note from shop.explain_search(:query{more}) where step = 'rules'"
        return [(row.found, row.note) for row in analyst.execute(text(step), {"query": query})]

    keywords, left_out = (
        ", image_weight => 0, title_weight => 0",
        "warning: rules with the condition similar do not apply, because ",
    )
    assert rules("red shoes", "") == [(1, "crimson shoes")]
    assert rules("boots", keywords) == [(0, left_out + "only keywords are searched")]
    assert rules("boots " * 5_000, keywords) == [(0, left_out + "only keywords are searched")]
    assert analyst.exec_driver_sql(f"select count(*) from shop.search('boots'{keywords})").scalar() == 0
    with pytest.raises(DatabaseError, match="no encoder"):
        rules("boots", "")
    assert rules("boots", ", degrade => true")[0][1].startswith(left_out + "no encoder")


def test_a_text_that_cannot_be_encoded_is_tried_once_for_all_rules(stocked: Shop) -> None:
    stocked.cache("crimson shoes", seed=0)
    for n in range(5):
        save(stocked, f"near {n}", {"similar": "crimson shoes"}, {"hide": "s1"})
    with stocked.database.connect(None) as admin, admin.begin():
        admin.exec_driver_sql("set local track_functions = 'all'")
        admin.exec_driver_sql("select count(*) from shop.search('boots', degrade => true)")
        tries = "select calls from pg_stat_xact_user_functions where funcname = 'text_payload'"
        assert admin.exec_driver_sql(tries).scalar() == 2  # for the rules, and for the search


def test_the_redirect_and_the_banner_of_rules_are_in_one_notice(stocked: Shop) -> None:
    save(stocked, "to", {"query": "shoes"}, {"redirect": "https://shop.example/shoes"})
    save(stocked, "say", {"contains": "shoes"}, {"banner": "Free delivery"})
    url = stocked.database.url(Role.ANALYST).set(drivername="postgresql").render_as_string(False)
    with psycopg.connect(url, autocommit=True) as conn:
        notices: list[Any] = []
        conn.add_notice_handler(lambda notice: notices.append((notice.sqlstate, notice.message_detail)))
        conn.execute("select * from shop.search('shoes')")
    assert [(state, json.loads(detail)) for state, detail in notices] == [
        ("WS107", {"redirect": "https://shop.example/shoes", "banner": "Free delivery"})
    ]


def test_a_search_without_results_names_the_rules_as_the_reason(stocked: Shop) -> None:
    save(stocked, "nothing", {"always": True}, {"filter": {"brand": "None"}})
    analyst = stocked.database.url(Role.ANALYST).set(drivername="postgresql").render_as_string(False)
    with psycopg.connect(analyst, autocommit=True) as conn:
        notices: list[Any] = []
        conn.add_notice_handler(lambda notice: notices.append(notice.message_detail))
        conn.execute("select * from shop.search('shoes')")
    assert notices == ["rules of the shop leave out all products"]


def test_drafts_and_rules_outside_their_valid_time_do_nothing(stocked: Shop) -> None:
    analyst, app = stocked.connect(Role.ANALYST), stocked.connect(Role.APP)
    before = found(analyst)
    pin = {"pin": before[-1], "at": 1}
    save(stocked, "draft", {"always": True}, pin, status="draft")
    save(stocked, "past", {"always": True}, {"hide": before[0]}, valid_to="2020-01-01")
    save(stocked, "future", {"always": True}, {"hide": before[0]}, valid_from="2100-01-01")
    assert found(analyst) == before
    assert found(app, more=", rules => 'draft'")[0] == before[-1]
    with pytest.raises(DatabaseError, match="rules cannot be 'draft'"):
        found(analyst, more=", rules => 'draft'")
    app.exec_driver_sql("update shop.rule set status = 'live' where name = 'draft'")
    assert found(analyst)[0] == before[-1]


def test_the_rule_with_the_highest_priority_wins(stocked: Shop) -> None:
    save(stocked, "low", {"always": True}, {"pin": "s1", "at": 1})
    save(stocked, "high", {"contains": "shoes"}, {"pin": "s2", "at": 1}, priority=5)
    assert found(stocked.connect(Role.ANALYST))[0] == "s2"


def nested(depth: int) -> Any:
    return {"brand": "Nord"} if depth == 1 else {"and": [nested(depth - 1)]}


WRONG: list[tuple[Any, Any, str]] = [
    ({}, {"pin": "s1", "at": 1}, "the condition needs exactly one of"),
    ({"query": "a", "category": "b"}, {"pin": "s1", "at": 1}, "the condition needs exactly one of"),
    ({"query": " !"}, {"pin": "s1", "at": 1}, '"query" in the condition must be a text that has at least one word'),
    ({"similar": "shoes", "threshold": 2}, {"pin": "s1", "at": 1}, "threshold must be a number from 0 to 1"),
    ({"filter": {"price": {"about": 3}}}, {"pin": "s1", "at": 1}, "about"),
    (QUERY, {"pin": "s1"}, 'pin needs "at", a place from 1 to 100'),
    (QUERY, {"pin": "s1", "at": 1.5}, 'pin needs "at", a place from 1 to 100'),
    (QUERY, {"pin": "nothing", "at": 1}, "there is no product 'nothing'"),
    (QUERY, {"pin": "foreign", "at": 1}, "there is no product 'foreign'"),
    (QUERY, {"hide": {"price": {"about": 3}}}, "about"),
    (QUERY, {"boost": {"brand": "Nord"}, "factor": 0.5}, "factor must be a number from 1 to 100 for boost"),
    (QUERY, {"boost": {"brand": "Nord"}, "factor": "2"}, "factor must be a number from 1 to 100 for boost"),
    (QUERY, {"signals": {"nothing": 1}}, "there is no signal"),
    (QUERY, {"signals": 3}, "signals must be an object"),
    (QUERY, {"redirect": "javascript:alert(1)"}, "redirect must begin with https://"),
    (QUERY, {"redirect": "/sales of shoes"}, "have no blanks"),
    (QUERY, {"redirect": "/" * 2001}, "at most 2,000 characters"),
    (QUERY, {"pin": 7, "at": 1}, '"pin" in the action must be a text'),
    ({"category": 7}, {"pin": "s1", "at": 1}, '"category" in the condition must be a text'),
    ({"always": False}, {"pin": "s1", "at": 1}, '"always" in the condition must be true'),
    ({"query": "shoes", "always": True}, {"pin": "s1", "at": 1}, "the condition needs exactly one of"),
    (QUERY, {"banner": ""}, "banner must have 1 to 2,000 characters"),
    *(
        ({"filter": wrong}, {"hide": "s1"}, '"filter" in the condition must be an object')
        for wrong in ("s1", None, {}, [])
    ),
    *((QUERY, {"hide": wrong}, '"hide" in the action must be a SKU or an object') for wrong in (None, {}, 3, [])),
    *((QUERY, {done: "s1"}, f'"{done}" in the action must be an object with') for done in ("boost", "bury", "filter")),
    *((QUERY, {done: {}}, f'"{done}" in the action must be an object with') for done in ("boost", "bury", "filter")),
    (QUERY, {"hide": nested(21)}, "deep"),  # a search puts the filter into `not`, which adds a level
    (QUERY, {"query": "shoe " * 5_000}, "must have at least one word, and at most"),
    (QUERY, {"bury": {"brand": "Nord"}, "factor": TINY}, "factor has more than 300 decimals"),
    ({"similar": "shoes", "threshold": TINY}, {"hide": "s1"}, "threshold has more than 300 decimals"),
    (QUERY, {"signals": {"stock": TINY}}, "must be a number from"),
    (QUERY, {"query": "blue shoes -red"}, '"query" in the action cannot have a phrase, an exclusion or a field'),
    (QUERY, {"query": "red shoes"}, "meets its own condition"),
    ({"contains": "shoes"}, {"query": "blue shoes"}, "meets its own condition"),
    (QUERY, {"dance": 1}, "the action needs exactly one of"),
    (QUERY, [], "the action needs exactly one of"),
    ([], {"pin": "s1", "at": 1}, "the condition needs exactly one of"),
]


def test_a_wrong_rule_is_refused_with_a_message_that_names_the_fault(stocked: Shop) -> None:
    stocked.load(product("foreign"), into="other")
    unexpected = []
    for condition, action, message in WRONG:
        with pytest.raises(DatabaseError) as raised:
            save(stocked, "wrong", condition, action)
        if message not in raised.value.message:
            unexpected.append((condition, action, raised.value.message))
    assert unexpected == []
    assert stocked.value("select count(*) from shop.rule") == 0


def test_the_limits_of_a_filter_apply_to_the_filter_of_each_rule_separately(stocked: Shop) -> None:
    many = {"or": [{"brand": "Nord"}, *({"brand": f"b{n}"} for n in range(600))]}
    save(stocked, "one", {"always": True}, {"filter": many})
    save(stocked, "two", {"contains": "shoes"}, {"filter": many})
    save(stocked, "deep", {"contains": "shoes"}, {"filter": nested(21)})
    save(stocked, "hide", {"contains": "shoes"}, {"hide": "s1"})
    analyst = stocked.connect(Role.ANALYST)
    assert set(found(analyst)) == {"s3", "s5", "s7"}
    assert set(found(analyst, more=""", filter => '{"sku": ["s3", "s4"]}'""")) == {"s3"}
    assert set(found(analyst, "warm winter coat")) == {"s1", "s3", "s5", "s7"}


def test_tiny_factors_may_be_multiplied_and_a_place_may_be_written_with_decimals(stocked: Shop) -> None:
    analyst = stocked.connect(Role.ANALYST)
    for n in range(3):
        save(stocked, f"boost {n}", {"always": True}, {"bury": {"brand": "Nord"}, "factor": 1e-200})
    save(stocked, "pin", QUERY, {"pin": "s1", "at": 1.0})
    assert found(analyst)[0] == "s1"
    assert set(found(analyst)[1:5]) == {"s0", "s2", "s4", "s6"}


def test_analysts_read_rules_and_do_not_write_them(stocked: Shop) -> None:
    save(stocked, "pin", QUERY, {"pin": "s1", "at": 1})
    analyst = stocked.connect(Role.ANALYST)
    analyst.exec_driver_sql("set default_transaction_read_only = off")
    assert analyst.exec_driver_sql("select name from shop.rule").scalars().all() == ["pin"]
    for statement in ("delete from shop.rule", "update shop.rule set priority = 1"):
        with pytest.raises(DatabaseError, match="permission denied"):
            analyst.exec_driver_sql(statement)


def test_a_pin_does_not_show_a_product_that_a_policy_hides(stocked: Shop) -> None:
    save(stocked, "pin", QUERY, {"pin": "s1", "at": 1})
    save(stocked, "other", QUERY, {"pin": "s2", "at": 2})
    stocked.run("create policy seen on shop.product for select to shop_analyst using (sku <> 's1')")
    stocked.run("alter table shop.product enable row level security")
    try:
        analyst = stocked.connect(Role.ANALYST)
        rows = analyst.execute(text(SEARCH.format("")), {"query": "red shoes"}).all()
        assert "s1" not in [row.sku for row in rows]
        assert rows[0].rules == ["other"]
        assert analyst.exec_driver_sql("select name from shop.rule").scalars().all() == ["other"]
    finally:
        stocked.run("alter table shop.product disable row level security")
        stocked.run("drop policy seen on shop.product")
