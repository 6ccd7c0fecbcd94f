"""A rule that contradicts a live rule cannot become live. This holds in whatever order the two rules are saved, and
also if two sessions save them at the same time. Names and times of rules are checked too. A catalog has at most 100
live rules with the same lookup key. The condition of a rule determines its lookup key (see rule_lookup)."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from db.errors import DatabaseError
from db.roles import Role
from db.search import rules
from tests.sql.ranking.rules import QUERY, SEARCH, save
from tests.support.shop import Shop


def test_live_rules_that_contradict_each_other_are_refused(stocked: Shop) -> None:
    save(stocked, "first", QUERY, {"pin": "s1", "at": 1})
    with pytest.raises(DatabaseError, match="'first' pins a product at place 1 under the same condition"):
        save(stocked, "second", QUERY, {"pin": "s2", "at": 1})
    save(stocked, "second", QUERY, {"pin": "s2", "at": 1}, status="draft")
    with pytest.raises(DatabaseError, match="'first' pins a product at place 1"):
        stocked.connect(Role.APP).exec_driver_sql("update shop.rule set status = 'live' where name = 'second'")
    save(stocked, "hide", {"always": True}, {"hide": {"sku": "s4"}})
    with pytest.raises(DatabaseError, match="'hide' hides the product that this rule pins"):
        save(stocked, "third", QUERY, {"pin": "s4", "at": 3})
    save(stocked, "one", {"query": "shoes"}, {"query": "boots"})
    with pytest.raises(DatabaseError, match="the new query of this rule would in turn be replaced by rule 'one'"):
        save(stocked, "two", {"query": "sandals"}, {"query": "shoes"})
    with pytest.raises(DatabaseError, match="the new query of rule 'one' would in turn be replaced by this rule"):
        save(stocked, "three", {"query": "boots"}, {"query": "shoes of leather"})


def test_a_rule_with_the_condition_similar_may_not_replace_the_new_query_of_a_rule(stocked: Shop) -> None:
    for seed, query in enumerate(("boots", "shoes of leather", "sandals", "clogs", "moccasins", "slippers")):
        stocked.cache(query, seed=seed % 3)  # clogs have the vector of boots, and slippers that of sandals
    stocked.cache("Boots!", seed=7)
    for near in ("Boots!", "clogs"):
        with pytest.raises(DatabaseError, match="its new query meets its own condition"):
            save(stocked, "two", {"similar": near}, {"query": "boots"})
    save(stocked, "one", {"query": "shoes"}, {"query": "boots"})
    for near in ("Boots!", "clogs"):
        with pytest.raises(DatabaseError, match="the new query of rule 'one' would in turn be replaced by this rule"):
            save(stocked, "two", {"similar": near}, {"query": "shoes of leather"})
    save(stocked, "two", {"similar": "sandals"}, {"query": "shoes of leather"})
    for near in ("sandals", "slippers"):
        with pytest.raises(DatabaseError, match="the new query of this rule would in turn be replaced by rule 'two'"):
            save(stocked, "three", {"contains": "beach"}, {"query": near})
    # The query "unknown" has no vector, so it is not known whether rule two would in turn replace this query.
    with pytest.raises(DatabaseError, match="no encoder"):
        save(stocked, "three", {"contains": "beach"}, {"query": "unknown"})
    save(stocked, "three", {"contains": "beach"}, {"query": "unknown"}, status="draft")


@pytest.mark.parametrize("pin_first", [True, False])
@pytest.mark.parametrize(
    ("condition", "hidden"), [({"always": True}, {"sku": "s4"}), ({"query": "Red  SHOES!"}, "s4"), (QUERY, "s4")]
)
def test_rules_that_pin_and_hide_one_product_are_refused_in_either_order(
    stocked: Shop, condition: Any, hidden: Any, pin_first: bool
) -> None:
    rules = [("pin", QUERY, {"pin": "s4", "at": 1}), ("hide", condition, {"hide": hidden})]
    first, second = rules if pin_first else rules[::-1]
    save(stocked, *first)
    save(stocked, "other", {"query": "shoes"}, {"hide": "s4"})
    message = (
        "this rule hides the product that rule 'pin' pins"
        if pin_first
        else "'hide' hides the product that this rule pins"
    )
    with pytest.raises(DatabaseError, match=message):
        save(stocked, *second)


def test_conditions_with_the_same_words_count_as_one_condition(stocked: Shop) -> None:
    save(stocked, "first", QUERY, {"pin": "s1", "at": 1})
    with pytest.raises(DatabaseError, match="'first' pins a product at place 1 under the same condition"):
        save(stocked, "second", {"query": "Red  SHOES!"}, {"pin": "s2", "at": 1})
    save(stocked, "second", {"contains": "red shoes"}, {"pin": "s2", "at": 1})
    rows = stocked.connect(Role.ANALYST).execute(text(SEARCH.format("")), {"query": "red shoes"}).all()
    assert rows[0].sku == "s1"
    assert rows[0].rules == ["first"]  # the other rule did nothing


def test_a_rule_can_be_switched_off_even_if_it_could_no_longer_be_saved(stocked: Shop) -> None:
    stocked.add("gone")
    save(stocked, "pin", QUERY, {"pin": "gone", "at": 1})
    save(stocked, "near", {"similar": "red shoes"}, {"hide": "s1"})
    stocked.run("delete from shop.product where sku = 'gone'")
    stocked.run("delete from shop_private.query_embedding")
    app = stocked.connect(Role.APP)
    app.exec_driver_sql("update shop.rule set status = 'draft'")
    assert stocked.value("select count(*) from shop.rule where status = 'live'") == 0
    with pytest.raises(DatabaseError, match="there is no product 'gone'"):
        app.exec_driver_sql("update shop.rule set status = 'live' where name = 'pin'")
    with pytest.raises(DatabaseError, match="no encoder"):
        app.exec_driver_sql("update shop.rule set status = 'live' where name = 'near'")


def test_the_second_of_two_sessions_that_replace_rules_waits_for_the_first(stocked: Shop) -> None:
    save(stocked, "a", QUERY, {"hide": "s1"})
    save(stocked, "b", QUERY, {"hide": "s2"})
    replaced = "insert into shop.rule (name, condition, action, status) values ('{0}', '{1}', '{2}', 'live')"
    pin = json.dumps({"pin": "s3", "at": 1})
    waits = (
        "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')"
    )

    def replace_b() -> None:
        with stocked.database.connect(Role.APP) as second, second.begin():
            second.exec_driver_sql("delete from shop.rule where name = 'b'")
            second.exec_driver_sql(replaced.format("b", json.dumps({"query": "shoes"}), pin))

    with ThreadPoolExecutor(1) as pool, stocked.database.connect(Role.APP) as first:
        first.exec_driver_sql("delete from shop.rule where name = 'a'")  # begins a transaction
        waiting = pool.submit(replace_b)
        while not stocked.value(waits):
            assert not waiting.done()
        first.exec_driver_sql(replaced.format("a", json.dumps(QUERY), pin))
        # This insert needs the vector of its condition before it waits for other sessions, so it fails without a wait.
        with pytest.raises(DatabaseError, match="no encoder"):
            stocked.connect(Role.APP).exec_driver_sql(
                "set lock_timeout = '5s'; " + replaced.format("c", json.dumps({"similar": "boots"}), pin)
            )
        first.commit()
        waiting.result(30)
    assert stocked.value("select string_agg(action ->> 'pin', ' ' order by name) from shop.rule") == "s3 s3"


def test_rules_of_two_catalogs_may_have_the_same_name(stocked: Shop) -> None:
    stocked.run("insert into shop.catalog (catalog) values ('outlet') on conflict do nothing")
    app = stocked.connect(Role.APP)
    first, second = (
        rules.NewRule("sale", json.dumps(QUERY), f'{{"banner": "{catalog}"}}', catalog)
        for catalog in ("main", "outlet")
    )
    rules.add(app, first)
    rules.add(app, second)
    with pytest.raises(DatabaseError, match="there is already a rule 'sale' of catalog 'outlet'"):
        rules.add(app, second)
    rules.save_all(app, [replace(second, priority=5)])
    assert [(one.catalog, one.priority) for one in rules.read(app)] == [("main", 0), ("outlet", 5)]
    assert rules.set_status(app, ["sale"], "live", "outlet") == {"sale"}
    assert [one.status for one in rules.read(app)] == ["draft", "live"]
    assert rules.remove_named(app, ["sale"]) == {"sale"}
    assert rules.find_named(app, "sale") is None
    assert rules.find_named(app, "sale", "outlet") is not None


@pytest.mark.parametrize("time", ["infinity", "-infinity", "9999-12-31T23:59:59-12:00", "0001-01-01 BC"])
def test_times_that_a_client_cannot_read_are_refused(stocked: Shop, time: str) -> None:
    for column in ("valid_from", "valid_to"):
        with pytest.raises(DatabaseError, match="valid_from and valid_to must lie in the years 2 to 9998"):
            save(stocked, "r", QUERY, {"banner": "Sale"}, **{column: time})
    assert rules.read(stocked.connect(Role.APP)) == []


@pytest.mark.parametrize(
    ("condition", "other", "message"),
    [
        ({"contains": "red bag"}, {"contains": "blue bag"}, "whose words begin with the same word"),
        ({"query": "shoes"}, {"query": "boots"}, "with this query"),
        ({"category": "bags"}, {"category": "shoes"}, "with this category"),
        ({"always": True}, {"query": "boots"}, "with one of the conditions similar, filter and always"),
    ],
)
def test_a_lookup_key_has_at_most_100_live_rules_of_a_catalog(
    stocked: Shop, condition: Any, other: Any, message: str
) -> None:
    stocked.run(
        "insert into shop.rule (name, condition, action, status) select 'r' || n, cast(:condition as jsonb), "
        '\'{"boost": {"brand": "Nord"}}\', \'live\' from generate_series(1, 100) n',
        condition=json.dumps(condition),
    )
    with pytest.raises(
        DatabaseError, match=f"the catalog already has 100 other live rules, the most allowed, {message}"
    ):
        save(stocked, "more", condition, {"boost": {"brand": "Alp"}})
    save(stocked, "more", condition, {"boost": {"brand": "Alp"}}, status="draft")
    save(stocked, "other", other, {"boost": {"brand": "Alp"}})
