"""A role attempts to learn of products that a row policy on shop.product hides from it.

To add an attempt, add a row to ATTEMPTS or GUESSES in policy_attempts.py. Fifty tenants share one database.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from db.lifecycle.row_security import unprotected
from db.roles import Role
from tests.security.policy_attempts import (
    ATTEMPTS,
    BY_TENANT,
    GUESSES,
    POLICIES,
    PRODUCT_GUESSES,
    SEARCH_GUESS,
    SEARCH_GUESSES,
    STATISTICS_OF_THE_PLANNER,
    TABLES,
)
from tests.security.tenants import FIRST, QUERY, TENANTS, Tenants
from tests.support.databases import Databases

PAGE = Path(__file__).parents[2] / "docs" / "policies.md"
ABSENT = "t99mark"  # no tenant has this name
OWN, OTHER = "t07mark", "t08mark"
NAME = re.compile(r"t\d\dmark")
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
def tenants(databases: Databases, toy_template: tuple[str, Path]) -> Iterator[Tenants]:
    made = Tenants(databases, toy_template[0])
    yield made
    made.close()


def leaks(tenants: Tenants, own: str, attempts: Sequence[tuple[str, int | None]], guesses: Sequence[str]) -> list[str]:
    """Makes the attempts and guesses as the tenant `own`. Returns each statement that reveals something about another
    tenant, fails, or returns another number of rows than expected. Each statement is followed by its answer."""
    found = []
    other = TENANTS[(TENANTS.index(own) + 1) % len(TENANTS)]
    with tenants.acting_as(own):
        for attempt, rows in attempts:
            statement = attempt.format(own=own, other=other)
            answer = tenants.answer(statement)
            named = set(NAME.findall(answer.text)) - {own}
            if answer.rows is not None or other not in statement:
                named |= set(ID.findall(answer.text)) - tenants.ids[own] - {FIRST}
            if named or answer.rows is None or rows not in (None, len(answer.rows)):
                found.append(f"{statement}: {answer.text[:1000]}")
        for guess in guesses:
            told = [
                tenants.answer(guess.format(own=own, other=name)).text.replace(name, "?") for name in (other, ABSENT)
            ]
            if told[0] != told[1]:
                found.append(f"{guess}: {told[0][:500]} | {told[1][:500]}")
    print(*found, sep="\n")  # pytest shortens long lists
    return found


def test_a_tenant_learns_nothing_of_the_products_of_another_tenant(tenants: Tenants) -> None:
    assert len(ATTEMPTS) + len(GUESSES) > 80
    with tenants.policies(BY_TENANT):
        assert leaks(tenants, OWN, ATTEMPTS, GUESSES) == []


def test_no_answer_and_no_error_of_fifty_tenants_names_another_tenant(tenants: Tenants) -> None:
    attempts = [
        (f"select t::text from shop.search('{QUERY}', k => 100, catalog => '{{own}}') t where total = 3", 3),
        ("select t::text from shop.facets(catalog => '{own}') t where products <= 3", None),
        ("select t::text from shop.browse(k => 1000, catalog => '{own}') t", 3),
        ("select t::text from shop.coverage t", 1),
        ("select t::text from shop.quarantine t", 1),
        ("select t::text from shop.product_image t", 3),
    ]
    guesses = ["select t::text from shop.similar('{other}-1', catalog => '{own}') t", SEARCH_GUESS]
    with tenants.policies(BY_TENANT):
        assert [leak for name in TENANTS for leak in leaks(tenants, name, attempts, guesses)] == []


@pytest.mark.parametrize("name", POLICIES)
def test_each_set_of_policies_hides_the_products_of_other_tenants(tenants: Tenants, name: str) -> None:
    attempts = [*TABLES, *STATISTICS_OF_THE_PLANNER]
    with tenants.policies(*(statement.format(own=OWN) for statement in POLICIES[name])):
        assert leaks(tenants, OWN, attempts, [*PRODUCT_GUESSES, *SEARCH_GUESSES]) == []


def test_policies_change_nothing_for_the_encoder_and_roles_that_see_every_product(tenants: Tenants) -> None:
    everyone = "create policy site on shop.product to shop_app, shop_web_reader using (true) with check (true)"
    counts = [
        f"select count(*) from shop.{table}"
        for table in (
            "product", "product_image", "toy_image", "toy_title", "searchable", "catalog", "coverage", "quarantine",
            "failing_host", "common_word", "tuning", "calibration", "judgement", "evaluation", "evaluation_query",
            "event",
        )
    ]  # fmt: skip
    counts.append(f"select ef_search, products from shop_private.search_settings() where '{QUERY}' <> ''")
    readers = ("shop_web_reader", "shop_app")
    encoder = tenants.shop.connect(Role.ENCODER)
    hosts = encoder.exec_driver_sql("select count(*) from shop_private.failing_hosts()").scalar()
    assert hosts == len(TENANTS)

    def told(role: str) -> list[object]:
        with tenants.acting_as(role):
            return [tenants.answer(count).rows for count in counts]

    before = {role: told(role) for role in readers}
    with tenants.policies(BY_TENANT, everyone):
        assert {role: told(role) for role in readers} == before
        assert encoder.exec_driver_sql("select count(*) from shop_private.failing_hosts()").scalar() == hosts
        with tenants.acting_as("shop_web_writer"):
            tenants.conn.execute("insert into shop.event (kind, catalog, sku) values ('click', 'none', 'none')")
            assert tenants.answer("delete from shop.event where catalog = 'none' returning 1").rows == [(1,)]
        tenants.shop.run("update shop.product set title = title || '!' where sku like '%-2'")
        worker = tenants.shop.worker()
        items = worker.claim("title", 1000)
        assert len(items) == len(TENANTS)
        assert worker.complete(items) == len(items)
        worker.release()
        with tenants.acting_as(OWN):
            assert tenants.answer("select ef_search from shop_private.search_settings()").rows == [(77,)]


def test_a_tenant_that_may_load_products_changes_only_its_own_products_and_catalog(tenants: Tenants) -> None:
    mine = f"create policy mine on shop.product to {OWN} using (catalog = '{OWN}')"
    with tenants.policies(mine), tenants.member_of("shop_app", OWN), tenants.acting_as(OWN):
        changes = {
            f"update shop.product set title = 'x' where catalog = '{OTHER}' returning 1": [],
            f"delete from shop.product where catalog = '{OTHER}' returning 1": [],
            f"delete from shop.product_image where uri ~ '{OTHER}' returning 1": [],
            f"update shop.product_image set uri = 'https://x.example' where uri ~ '{OTHER}' returning 1": [],
            "delete from shop.event returning 1": [],
            "select * from shop.popular_queries": [],
            "select * from shop.no_result_queries": [],
            f"insert into shop.product_image (product_id, position, uri) values (shop.product_id('{OTHER}-1', "
            f"'{OTHER}'), 5, 'https://x.example') returning 1": None,
            f"select shop.set_language('german', '{OTHER}')": None,
            f"select shop.set_language('german', '{OWN}')": [(3,)],
            f"select shop.set_language('english', '{OWN}')": [(3,)],
        }
        assert {statement: tenants.answer(statement).rows for statement in changes} == changes


def test_a_role_that_was_renamed_after_set_role_does_not_see_every_product(tenants: Tenants) -> None:
    sees = "select shop_private.session_sees_every_product()"
    with tenants.acting_as(OWN):
        tenants.shop.run(f"alter role {OWN} rename to renamed")
        try:
            assert tenants.answer(sees).rows == [(True,)]
        finally:
            tenants.shop.run(f"alter role renamed rename to {OWN}")
    with tenants.policies(BY_TENANT), tenants.acting_as(OWN):
        tenants.shop.run(f"alter role {OWN} rename to renamed")
        try:
            assert tenants.answer(sees).rows == [(False,)]
        finally:
            tenants.shop.run(f"alter role renamed rename to {OWN}")


def test_a_tenant_retries_only_items_of_its_own_products(tenants: Tenants) -> None:
    with tenants.policies(BY_TENANT), tenants.member_of("shop_app", OWN), tenants.acting_as(OWN):
        counts = {
            f"'{OTHER}'": [(0,)],
            f"null, '{OTHER}.example'": [(0,)],
            f"'{OTHER}', null, '{OTHER}-1'": [(0,)],
            f"'{OWN}', null, '{OTHER}-1'": [(0,)],
            "null": [(1,)],
        }
        tenants.conn.execute("begin")
        try:
            told = {
                call: tenants.answer(f"select shop_private.work_retry(1::smallint, {call})").rows for call in counts
            }
            assert told == counts
            tenants.conn.execute("reset role")
            hidden = {
                f"select 1 from shop.quarantine where catalog <> '{OWN}'": 49,
                f"select 1 from shop_private.fetch_host where host <> '{OWN}.example'": 49,
            }
            assert {rows: len(tenants.answer(rows).rows or []) for rows in hidden} == hidden
        finally:
            tenants.conn.execute("rollback")
        claim = (
            "insert into shop_private.work_retries (model_id, products) "
            f"select 1, array[shop.product_id('{OTHER}-1', '{OTHER}')]"
        )
        assert "permission denied" in tenants.answer(claim).text


@pytest.mark.parametrize("secured", [True, False], ids=["products have policies", "only images have policies"])
def test_the_vector_of_an_image_that_a_policy_hides_is_hidden(tenants: Tenants, secured: bool) -> None:
    image = f"create policy some_images on shop.product_image using (uri not like '%{OWN}-1.jpg')"
    products = "create policy everything on shop.product using (true)"
    with tenants.policies(*([BY_TENANT] if secured else [products]), image):
        tenants.conn.execute(f"alter table shop.product {'enable' if secured else 'disable'} row level security")
        tenants.conn.execute("alter table shop.product_image enable row level security")
        with tenants.acting_as(OWN):
            hidden = f"(select shop.product_id('{OWN}-1', '{OWN}'))"
            for table in ("product_image", "toy_image", "image_vector", "searchable_image"):
                assert tenants.answer(f"select 1 from shop.{table} where product_id = {hidden}").rows == [], table
            assert tenants.answer(f"select count(*) from shop.toy_title where product_id = {hidden}").rows == [(1,)]
            found = tenants.answer(f"select sku, image_uri from shop.search('{QUERY}', catalog => '{OWN}')").rows
            assert (f"{OWN}-1", None) in (found or [])
        tenants.conn.execute("alter table shop.product_image disable row level security")


def test_no_table_has_a_policy_while_row_level_security_of_products_is_disabled(tenants: Tenants) -> None:
    """A policy would make each search slower, also for roles that see every product."""
    secured = "select oid::regclass::text from pg_class where relrowsecurity"
    assert tenants.shop.run(secured) == []
    assert tenants.shop.value("select count(*) from pg_policy") == 0
    with tenants.policies(BY_TENANT):
        assert {name for (name,) in tenants.shop.run(secured)} >= {"shop.toy_image", "shop.event", "shop_private.work"}
        later = "create table shop.{} (product_id uuid references shop.product on delete cascade)"
        tenants.conn.execute(later.format("table_of_the_site"))
        with tenants.acting_as("shop_owner"):
            tenants.conn.execute(later.format("later_image"))
        new = {"shop.later_image", "shop.table_of_the_site"}
        assert {name for (name,) in tenants.shop.run(secured)} & new == {"shop.later_image"}
        tenants.conn.execute(f"drop table {', '.join(new)}")
    assert tenants.shop.run(secured) == []


def test_a_site_without_the_event_trigger_gets_its_policies_at_the_next_upgrade(tenants: Tenants) -> None:
    """Only a superuser may create an event trigger, so a site without a superuser has none."""
    with tenants.policies(BY_TENANT):
        tenants.conn.execute("alter event trigger windowshop_row_security disable")
        tenants.conn.execute("alter table shop.toy_image disable row level security")
        tenants.conn.execute("drop policy windowshop_follow on shop.tuning")
        try:
            with tenants.shop.database.connect(None) as conn:
                assert unprotected(conn) == ["shop.toy_image", "shop.tuning"]
            tenants.conn.execute("select shop_private.follow_row_security()")  # as every upgrade does
            assert leaks(tenants, OWN, TABLES, PRODUCT_GUESSES) == []
        finally:
            tenants.conn.execute("alter event trigger windowshop_row_security enable")


def test_a_changed_policy_of_windowshop_is_found_and_created_again(tenants: Tenants) -> None:
    seen = "exists (select from shop.product p where p.product_id = toy_{0}.product_id)"
    changes = {
        "shop.event": "alter policy windowshop_follow on shop.event to shop_app",
        "shop.toy_image": f"alter policy windowshop_follow on shop.toy_image using (true or {seen.format('image')})",
        "shop.toy_title": f"alter policy windowshop_follow on shop.toy_title using (false and {seen.format('title')})",
        "shop.tuning": "alter policy windowshop_follow on shop.tuning with check (false)",
        "shop.watch": "drop policy windowshop_follow on shop.watch; "
        "create policy windowshop_follow on shop.watch as permissive using (true)",
    }

    def found() -> list[str]:
        with tenants.shop.database.connect(None) as conn:
            return unprotected(conn)

    with tenants.policies(BY_TENANT):
        assert found() == []
        for change in changes.values():
            tenants.conn.execute(change.encode())
        assert found() == list(changes)
        tenants.conn.execute("set quote_all_identifiers = on")
        tenants.conn.execute("select shop_private.follow_row_security()")
        assert found() == []
        tenants.conn.execute("reset all")
        assert leaks(tenants, OWN, TABLES, PRODUCT_GUESSES) == []


@contextmanager
def recipe(tenants: Tenants, heading: str) -> Iterator[list[str]]:
    """Execute the first block of statements of a recipe of docs/policies.md. Yields the other blocks."""
    section = PAGE.read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    policies, *others = re.findall(r"```sql\n(.*?)```", section, flags=re.S)
    tenants.conn.execute(policies)
    try:
        yield others
    finally:
        tenants.conn.execute("drop schema site cascade")
        tenants.conn.execute("drop policy service on shop.product")
        tenants.conn.execute("alter table shop.product disable row level security")


def test_the_recipe_of_tenants_by_catalog_separates_fifty_tenants(tenants: Tenants) -> None:
    with recipe(tenants, "Tenants by catalog") as [insert]:
        for name in TENANTS:
            tenants.conn.execute(insert.replace("acme", name))
        assert leaks(tenants, OWN, ATTEMPTS, GUESSES) == []
        with tenants.acting_as(OWN):
            assert tenants.answer("select login, catalog from site.tenant").rows == [(OWN, OWN)]
        with tenants.acting_as("shop_web_reader"):
            assert tenants.answer("select count(*) from shop.searchable").rows == [(100,)]


def test_the_recipe_of_price_lists_shows_each_customer_its_own_products_and_prices(tenants: Tenants) -> None:
    with recipe(tenants, "Price lists of customers") as [search]:
        tenants.conn.execute(
            "insert into site.price_list select c.name, p.product_id, 100 + 7 * p.price "
            "from shop.product p, unnest(%s::text[]) c(name) where p.catalog = %s and "
            "(p.sku like '%%-1' or c.name = %s and p.sku like '%%-2')",
            [[OWN, OTHER], OWN, OWN],
        )
        search = search.replace("'red shoes'", f"'{QUERY}', catalog => '{OWN}'")
        with tenants.acting_as(OWN):
            found = {sku: price for sku, _, price in tenants.answer(search).rows or []}
            assert found == {f"{OWN}-1": 170, f"{OWN}-2": 240}
            assert tenants.answer(f"select count(*) from shop.browse(catalog => '{OWN}')").rows == [(2,)]
            assert tenants.answer("select count(*) from shop.toy_title").rows == [(2,)]
            hidden = tenants.answer(f"select shop.product_vector('{OWN}-3', '{OWN}')").text
            assert f"there is no product '{OWN}-3'" in hidden
        with tenants.acting_as(OTHER):
            assert tenants.answer("select sku from shop.product").rows == [(f"{OWN}-1",)]
            assert tenants.answer("select catalog, products from shop.coverage").rows == [(OWN, 1)]
            assert tenants.answer("select count(*) from shop.failing_host").rows == [(0,)]


@pytest.mark.parametrize(
    "session",
    [
        "set quote_all_identifiers = on",
        "set datestyle = 'German'; set timezone = 'Asia/Kolkata'; set intervalstyle = sql_standard",
        "set extra_float_digits = -15",
    ],
)
def test_the_condition_of_a_policy_does_not_depend_on_settings_of_the_session(tenants: Tenants, session: str) -> None:
    listed = (
        'exists (select from "My Site"."price list" product where product.product = product_id and '
        "product.customer = current_user and product.at = '2026-02-01 10:00+00' and product.factor = 0.12345::float8 "
        "and product.wait = '-1 day +02:00'::interval)"
    )
    tenants.conn.execute(
        'create schema "My Site"; grant usage on schema "My Site" to shop_analyst; '
        'create table "My Site"."price list" (customer name, product uuid, at timestamptz, factor float8, '
        'wait interval); grant select on "My Site"."price list" to shop_analyst; '
        f"insert into \"My Site\".\"price list\" select '{OWN}', p.product_id, '2026-02-01 10:00+00', 0.12345, "
        f"'-1 day +02:00' from shop.product p where p.sku in ('{OWN}-1', '{OWN}-2')"
    )
    try:
        with tenants.policies(f"create policy listed on shop.product to shop_analyst using ({listed})"):
            tenants.conn.execute(session.encode())
            with tenants.acting_as(OWN):
                assert "EXISTS" in tenants.answer("select shop_private.visible_products()").text
                assert tenants.answer("select catalog from shop.catalog").rows == [(OWN,)]
                found = tenants.answer(f"select sku from shop.search('{QUERY}', catalog => '{OWN}') order by sku")
                assert found.rows == [(f"{OWN}-1",), (f"{OWN}-2",)], found.text
    finally:
        tenants.conn.execute('reset all; drop schema "My Site" cascade')
