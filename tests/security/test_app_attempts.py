"""A login of the group `app` cannot stop an upgrade, or the watches and fetches of other roles."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from db.settings import Settings
from migrations.upgrade import upgrade
from tests.support.shop import Shop

pytestmark = pytest.mark.usefixtures("policies")
WATCH = """select shop.watch('w', filter => '{"sku": {"ne": "x"}, "price": {"lt": 5}}')"""
CLAIM = "select host from shop_private.fetch_claim(gen_random_uuid(), 1::smallint, 100, 4, '{}', 10)"
HOSTS = ("a.example", "b.example", "cdn.example")


@pytest.fixture
def policies(shop: Shop) -> Iterator[None]:
    """Shows each of two tenants the products of its brand. Both sell in catalog main."""
    shop.run("create role tenant_a in role shop_app; create role tenant_b in role shop_app")
    shop.run("create policy brands on shop.product using (brand = current_user) with check (true)")
    shop.run("alter table shop.product enable row level security")
    shop.run(
        "insert into shop.product (product_id, sku, title, brand) select shop.product_id(s, 'main'), s, s, "
        "'tenant_' || s from unnest(array['a', 'b']) s"
    )
    yield
    shop.run("alter table shop.product disable row level security; drop policy brands on shop.product")
    shop.run("drop owned by tenant_a, tenant_b; drop role tenant_a, tenant_b")


def connect(shop: Shop, role: str | None) -> psycopg.Connection[Any]:
    url = shop.database.url(None).set(drivername="postgresql").render_as_string(hide_password=False)
    conn = psycopg.connect(url, autocommit=True)
    if role:
        conn.execute(f"set role {role}")
    return conn


def test_a_change_of_the_language_with_a_nearly_full_stack_disables_no_watch(shop: Shop) -> None:
    with connect(shop, "tenant_b") as other:
        other.execute(WATCH)
    with connect(shop, "tenant_a") as conn:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("select shop_private.watch_compile()")
        conn.execute(
            "create function pg_temp.deep(n integer) returns void language plpgsql as $$ begin if n = 0 then "
            "update shop.catalog set language = case language when 'german' then 'dutch' else 'german' end; "
            "else perform pg_temp.deep(n - 1); end if; end $$"
        )
        refused: list[str] = []

        def works(depth: int) -> bool:
            try:
                conn.execute("select pg_temp.deep(%s)", (depth,))
            except psycopg.Error as error:
                refused.append(str(error.sqlstate))
                return False
            return True

        deepest = next(depth for depth in range(1500, 0, -20) if works(depth))
        for depth in range(deepest + 20, deepest - 40, -1):
            works(depth)
        assert len(refused) < 140
        # Class 54 contains the error of the stack depth limit. Class 22 contains the errors of regular expressions.
        assert {state[:2] for state in refused} <= {"54", "22"}, refused
    assert shop.value("select count(*) from shop.watch where disabled_at is not null") == 0


@pytest.mark.parametrize(
    "statement",
    [
        "insert into shop.catalog values ('new', 'klingon')",
        "insert into shop.catalog (catalog, language) values ('main', 'english') "
        "on conflict (catalog) do update set language = 'klingon'",
        "update shop.catalog set language = 'klingon'",
    ],
)
def test_a_catalog_cannot_have_a_language_that_postgresql_lacks(shop: Shop, statement: str) -> None:
    with connect(shop, "tenant_a") as conn, pytest.raises(psycopg.Error, match="there is no language 'klingon'"):
        conn.execute(statement)


def test_an_upgrade_disables_the_watches_of_a_catalog_with_an_unknown_language(shop: Shop, settings: Settings) -> None:
    with connect(shop, "tenant_b") as other:
        other.execute(WATCH)
    shop.run("alter table shop.catalog disable trigger catalog_language_checked")
    shop.run("alter table shop.catalog disable trigger catalog_language_changed")
    shop.run("update shop.catalog set language = 'klingon'")
    shop.run("alter table shop.catalog enable trigger catalog_language_checked")
    shop.run("alter table shop.catalog enable trigger catalog_language_changed")
    upgrade(shop.database, settings)
    assert "klingon" in shop.value("select error from shop.watch where disabled_at is not null")
    shop.run("update shop.catalog set language = 'english'")


def test_a_tenant_that_retries_stops_no_fetches_and_ends_no_pause_of_a_shared_host(shop: Shop) -> None:
    shop.run(
        "insert into shop.product_image (product_id, position, uri) select shop.product_id(s, 'main'), n, "
        "'https://' || h || '/' || s || '.jpg' from (values ('a', 0, 'a.example'), ('b', 0, 'b.example'), "
        "('a', 1, 'cdn.example'), ('b', 1, 'cdn.example')) v(s, n, h)"
    )
    assert {row[0] for row in shop.run("select distinct host from shop_private.work where host <> ''")} == set(HOSTS)
    paused = (
        "insert into shop_private.fetch_host (host, failures, paused_until) values (:host, 3, now() - interval '1 s')"
    )
    for host in HOSTS:
        shop.run(paused, host=host)
    with connect(shop, "tenant_a") as conn, conn.transaction():
        conn.execute("select shop_private.work_retry(1::smallint)")
        with connect(shop, None) as encoder:
            encoder.execute("set lock_timeout = '2s'")
            assert {row[0] for row in encoder.execute(CLAIM).fetchall()} == {"b.example", "cdn.example"}
    assert {row[0] for row in shop.run("select host from shop_private.fetch_host")} == {"b.example", "cdn.example"}


def test_a_tenant_locks_no_catalog_that_it_does_not_see(shop: Shop) -> None:
    shop.run("insert into shop.catalog (catalog) values ('theirs')")
    with connect(shop, "tenant_a") as conn, conn.transaction(), connect(shop, None) as other:
        conn.execute("select shop.unwatch('w', 'theirs')")
        other.execute("set lock_timeout = '1s'")
        other.execute("update shop.catalog set language = 'german' where catalog = 'theirs'")
