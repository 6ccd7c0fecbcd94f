"""Every role has only the privileges listed in grants.golden.txt, and forbidden statements raise an error.

After an intended change of privileges, run `UPDATE_GOLDEN=1 pytest tests/security/test_grants.py` and review how the
golden file changed.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection

from db.errors import DatabaseError, StatementRefused
from db.roles import LOGINS, Role
from tests.support.large_catalog import policy

if TYPE_CHECKING:
    from tests.support.shop import Shop

GOLDEN = Path(__file__).with_name("grants.golden.txt")

# Lists the privileges on objects of Windowshop, except the privileges of each object's owner. The functions of dblink
# are not listed: `test_the_roles_analyst_and_app_and_encoder_and_gateway_may_not_use_dblink` checks them.
PRIVILEGES = """
with acl as (
    select 'schema ' || nspname as object, nspacl as acl, acldefault('n', nspowner) as absent, nspowner as owner
    from pg_namespace where nspname in ('shop', 'shop_private', 'shop_jobs', 'shop_dblink')
    union all
    select case relkind when 'S' then 'sequence ' when 'v' then 'view ' else 'table ' end || oid::regclass, relacl,
        acldefault(case relkind when 'S' then 's' else 'r' end::"char", relowner), relowner
    from pg_class where relnamespace::regnamespace::text in ('shop', 'shop_private', 'shop_jobs') 
        and relkind in ('r', 'v', 'S', 'm', 'p')
    union all
    select 'column ' || c.oid::regclass || '.' || attname, attacl, '{}', relowner
    from pg_attribute a join pg_class c on c.oid = attrelid
    where relnamespace::regnamespace::text in ('shop', 'shop_private', 'shop_jobs') and attacl is not null
    union all
    select 'function ' || oid::regprocedure, proacl, acldefault('f', proowner), proowner
    from pg_proc where pronamespace::regnamespace::text in ('shop', 'shop_private', 'shop_jobs')
    union all
    select 'server ' || srvname, srvacl, acldefault('S', srvowner), srvowner from pg_foreign_server
    union all
    select 'wrapper ' || fdwname, fdwacl, acldefault('F', fdwowner), fdwowner from pg_foreign_data_wrapper
)
select case a.grantee when 0 then 'PUBLIC' else a.grantee::regrole::text end as grantee, object,
    string_agg(
        a.privilege_type || case when a.is_grantable then ' (grantable)' else '' end, ', ' order by a.privilege_type)
from acl, aclexplode(coalesce(acl, absent)) a
where a.grantee <> owner
group by 1, 2 order by 1, 2"""

ROLES = """
select rolname, concat_ws(', ', case when rolcanlogin then 'login' else 'nologin' end,
    case when rolsuper then 'superuser' end, case when rolcreaterole then 'createrole' end,
    case when rolcreatedb then 'createdb' end, case when rolreplication then 'replication' end,
    case when rolbypassrls then 'bypassrls' end,
    case when rolconnlimit >= 0 then 'connection limit ' || rolconnlimit end,
    array_to_string(rolconfig, ', '),
    (select 'member of ' || string_agg(m.roleid::regrole::text, ' ') from pg_auth_members m where m.member = r.oid))
from pg_roles r where rolname like 'shop\\_%' order by 1"""


def test_the_privileges_of_every_role_equal_the_golden_file(shop: "Shop") -> None:
    roles = [f"role {name}: {attributes}" for name, attributes in shop.run(ROLES)]
    grants = [f"{grantee}: {object_}: {privileges}" for grantee, object_, privileges in shop.run(PRIVILEGES)]
    actual = "\n".join([*roles, "", *grants]) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(actual, encoding="utf-8")
    assert actual.splitlines() == GOLDEN.read_text(encoding="utf-8").splitlines()


def test_the_role_public_has_no_privileges_on_the_listed_objects(shop: "Shop") -> None:
    assert [row for row in shop.run(PRIVILEGES) if row.grantee == "PUBLIC"] == []


def test_every_object_belongs_to_the_owner_role(shop: "Shop") -> None:
    rows = shop.run(
        "select oid::regclass::text, relowner::regrole::text from pg_class "
        "where relnamespace::regnamespace::text in ('shop', 'shop_private', 'shop_jobs') union all "
        "select oid::regprocedure::text, proowner::regrole::text from pg_proc "
        "where pronamespace::regnamespace::text in ('shop', 'shop_private', 'shop_jobs') union all "
        "select oid::regtype::text, typowner::regrole::text from pg_type "
        "where typnamespace::regnamespace::text in ('shop', 'shop_private', 'shop_jobs')"
    )
    assert {owner for _, owner in rows} == {"shop_owner"}


def test_every_security_definer_function_sets_its_search_path(shop: "Shop") -> None:
    rows = shop.run(
        "select p.oid::regprocedure::text from pg_proc p join pg_namespace n on n.oid = pronamespace "
        "where nspname in ('shop', 'shop_private') and prosecdef and not exists "
        "(select from unnest(proconfig) c where c = 'search_path=pg_catalog, pg_temp')"
    )
    assert rows == []


def test_an_analyst_may_not_execute_a_new_function_before_a_grant(shop: "Shop") -> None:
    conn = shop.connect(None)
    conn.exec_driver_sql("begin")
    conn.exec_driver_sql("set local role shop_owner")
    conn.exec_driver_sql("create function shop.fresh() returns int language sql return 1")
    assert (
        conn.exec_driver_sql("select has_function_privilege('shop_analyst', 'shop.fresh()', 'execute')").scalar()
        is False
    )
    conn.exec_driver_sql("rollback")


@pytest.mark.parametrize("role", [Role.ANALYST, Role.APP, Role.ENCODER, Role.GATEWAY])
def test_the_roles_analyst_and_app_and_encoder_and_gateway_may_not_use_dblink(shop: "Shop", role: Role) -> None:
    allowed = shop.run(
        "select p.oid::regprocedure::text from pg_proc p join pg_extension e on e.extnamespace = pronamespace "
        "where extname = 'dblink' and proname like 'dblink%' "
        "and has_function_privilege(cast(:role as text), p.oid, 'execute')",
        role=f"shop_{role}",
    )
    assert allowed == []
    assert shop.value("select has_schema_privilege(:role, 'shop_dblink', 'usage')", role=f"shop_{role}") is False
    assert shop.value("select has_server_privilege(:role, 'shop_primary', 'usage')", role=f"shop_{role}") is False


@pytest.fixture
def analyst(shop: "Shop") -> Connection:
    conn = shop.connect(Role.ANALYST)
    # An analyst can change this setting, so privileges alone must protect the tables.
    conn.exec_driver_sql("set default_transaction_read_only = off")
    return conn


def tables(shop: "Shop", schema: str) -> list[str]:
    rows = shop.run(
        f"select oid::regclass::text from pg_class where relnamespace = '{schema}'::regnamespace "
        "and relkind in ('r', 'v', 'S') order by 1"
    )
    return [row[0] for row in rows]


def denied(conn: Connection, statement: str) -> None:
    with pytest.raises(DatabaseError, match=r"permission denied|must be owner|cannot .* view|is not a table"):
        conn.exec_driver_sql(statement)


def test_an_analyst_cannot_write_to_any_table_of_schema_shop(shop: "Shop", analyst: Connection) -> None:
    found = tables(shop, "shop")
    assert len(found) >= 8
    for table in found:
        if table.endswith("_seq"):
            denied(analyst, f"select nextval('{table}')")
            continue
        denied(analyst, f"insert into {table} default values")
        denied(analyst, f"delete from {table}")
        [column] = shop.run(
            f"select quote_ident(attname) from pg_attribute where attrelid = '{table}'::regclass and attnum > 0 "
            "and attidentity = '' order by attnum limit 1"
        )[0]
        denied(analyst, f"update {table} set {column} = null")
        denied(analyst, f"truncate {table}")
    for statement in (
        "create table shop.mine (a int)",
        "create function shop.mine() returns int language sql return 1",
        "alter table shop.product disable row level security",
        "drop view shop.searchable",
        "create or replace view shop.searchable as select 1",
        "alter function shop.clip_text(text) security invoker",
    ):
        denied(analyst, statement)


def test_an_analyst_cannot_read_all_columns_of_any_private_table_or_the_popular_queries(
    shop: "Shop", analyst: Connection
) -> None:
    found = tables(shop, "shop_private")
    assert {"shop_private.request", "shop_private.work", "shop_private.query_embedding"} <= set(found)
    for table in found:
        denied(analyst, f"select * from {table}")
    denied(analyst, "select * from shop.popular_queries")


@pytest.mark.parametrize(
    "call",
    [
        "call shop_private.gateway_encode(1::smallint, 't', 'x', 1000)",
        "select shop_private.gateway_lookup(1::smallint, 'x')",
        "select shop_private.gateway_fetch(1::smallint, 't', 'x')",
        "select shop_private.query_vector(1::smallint, 't', 'x')",
        "select shop_private.work_claim(gen_random_uuid(), 1::smallint, 'title', 1)",
        "select shop_private.work_retry(1::smallint)",
        "select shop_private.request_refuse(1, 'x')",
        "select shop_private.housekeep(0)",
        "select shop_private.serve_model('toy', true)",
        "select shop_private.image_root_id('/')",
        "select shop.upsert_staged()",
        "select shop_dblink.dblink('shop_primary', 'select 1')",
        "select shop_dblink.dblink_exec('shop_gateway', 'delete from shop_private.request')",
        "select shop_dblink.dblink_get_connections()",
        "select shop_dblink.dblink_connect_u('host=localhost')",
    ],
)
def test_an_analyst_cannot_call_functions_of_other_roles(analyst: Connection, call: str) -> None:
    denied(analyst, call)


def test_an_analyst_cannot_use_the_gateway_connection_that_clip_text_has_opened(
    shop: "Shop", analyst: Connection
) -> None:
    with shop.encoder():
        analyst.exec_driver_sql("select shop.clip_text('opens the connection')")
        denied(analyst, "select shop_dblink.dblink_exec('shop_gateway', 'delete from shop_private.request')")


def test_an_analyst_cannot_see_the_gateways_password(shop: "Shop", analyst: Connection) -> None:
    look = "select umoptions from pg_user_mappings where srvname = 'shop_primary'"
    assert "password=" in str(shop.value(look))  # the administrator sees the password
    assert analyst.exec_driver_sql(look).all() == [(None,)]
    denied(analyst, "select * from pg_user_mapping")


@pytest.mark.parametrize("role", list(LOGINS))
def test_no_login_can_switch_to_another_role(shop: "Shop", role: Role) -> None:
    with shop.database.connect(role) as conn:
        for other in Role:
            if other is not role.login:
                with pytest.raises(StatementRefused, match="permission denied"):
                    conn.exec_driver_sql(f"set role shop_{other}")
                conn.rollback()


def test_the_encoder_cannot_access_tables_directly(shop: "Shop") -> None:
    encoder = shop.connect(Role.ENCODER)
    for table in (*tables(shop, "shop_private"), "shop.product", "shop.product_image", "shop.toy_image"):
        denied(encoder, f"select * from {table}")
        if not table.endswith("_seq"):
            denied(encoder, f"delete from {table}")


def test_the_gateway_cannot_read_products_models_or_work_items_or_change_cached_queries(shop: "Shop") -> None:
    gateway = shop.connect(Role.GATEWAY)
    for table in ("shop_private.work", "shop_private.worker", "shop.product", "shop.model", "shop.searchable"):
        denied(gateway, f"select * from {table}")
    denied(gateway, "update shop_private.query_embedding set query = 'x'")


def test_the_app_may_write_products_but_no_vectors_models_work_items_or_cached_queries(shop: "Shop") -> None:
    app = shop.connect(Role.APP)
    shop.add("a")
    app.exec_driver_sql("update shop.product set price = 1")
    for table in ("shop.toy_image", "shop.model", "shop_private.work", "shop_private.query_embedding"):
        denied(app, f"delete from {table}")


def test_row_level_security_filters_the_products_of_the_searchable_views(shop: "Shop", analyst: Connection) -> None:
    shop.add("a", "b")
    shop.encode_all()
    with policy(shop.database, "sku <> 'b'"):
        assert analyst.exec_driver_sql("select sku from shop.searchable").all() == [("a",)]
        assert analyst.exec_driver_sql("select sku from shop.searchable_image").all() == [("a",)]
