"""The roles analyst, app, encoder and gateway cannot exceed their rights: the server refuses each attempt with the
expected message.

To add an attempt, add a row: the role, the statement, and the expected refusal. test_grants.py compares all privileges.
"""

from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import make_url

from db.errors import DatabaseError
from db.roles import Role

if TYPE_CHECKING:
    from tests.support.shop import Shop

DENIED = "permission denied"
PRODUCT = "insert into shop.product (product_id, sku, title, {0}) values (shop.product_id('x'), 'x', 'x', {1})"
TUNING = "insert into shop.tuning (model_id, name, value) values (1, '{}', '{}')"
DEEP = "(repeat('{\"a\":', 21) || '1' || repeat('}', 21))::jsonb"
ATTEMPTS = [
    # Locks on rows and tables
    *(
        (Role.ANALYST, f"do $$ begin lock table {table} in {mode} mode; end $$", DENIED)
        for table in ("shop.product", "shop.common_word", "shop_private.request", "shop_private.query_lane")
        for mode in ("row share", "share update exclusive", "access exclusive")
    ),
    *(
        (Role.ANALYST, f"select * from shop.product for {strength}", DENIED)
        for strength in ("key share", "share", "no key update", "update")
    ),
    (Role.GATEWAY, "do $$ begin lock table shop_private.query_lane in access exclusive mode; end $$", DENIED),
    # The proof that an encoder is connected
    (Role.ANALYST, "select shop_private.query_lane_beat('{1}')", DENIED),
    (Role.APP, "select shop_private.query_lane_beat('{1}')", DENIED),
    (Role.GATEWAY, "select shop_private.query_lane_beat('{1}')", DENIED),
    (Role.ANALYST, "select shop_private.encoder_alive(1::smallint)", DENIED),
    # Other sessions
    (Role.ANALYST, "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'postgres'", DENIED),
    (Role.ANALYST, "select pg_cancel_backend(pid) from pg_stat_activity where usename = 'postgres'", DENIED),
    # Files of the server, large objects and the log
    *(
        (role, statement, DENIED)
        for role in (Role.ANALYST, Role.APP, Role.ENCODER, Role.GATEWAY)
        for statement in (
            "select lo_create(0)",
            "select lo_creat(-1)",
            "select lo_from_bytea(0, 'x')",
            "select lo_import('/etc/passwd')",
            "select lo_get(1)",
            "copy (select 1) to '/tmp/attempt'",
            "copy (select 1) to program 'id'",
            "select pg_read_file('/etc/passwd')",
            "select pg_ls_dir('.')",
            "select pg_current_logfile()",
            "select pg_stat_file('postgresql.conf')",
            "set temp_file_limit = -1",
            "set log_min_error_statement = error",
            "set log_min_duration_statement = 0",
            "set log_statement = 'all'",
            "set session_replication_role = replica",
            "set session_preload_libraries = 'auto_explain'",
            "alter system set log_statement = 'all'",
            "select pg_reload_conf()",
            "select pg_rotate_logfile()",
            "select * from pg_authid",
            "select * from pg_largeobject",
            "create extension file_fdw",
            "create server other foreign data wrapper dblink_fdw",
            "create role other",
            "create schema other",
        )
    ),
    (Role.ANALYST, "alter server shop_primary options (set host 'example.org')", "must be owner"),
    (
        Role.ANALYST,
        "create trigger spy after insert on shop.product execute function shop_private.products_inserted()",
        DENIED,
    ),
    # Values that would break searches or pages
    *((Role.ANALYST, TUNING.format("rrf_k", value), DENIED) for value in ("NaN", "60")),
    *(
        (Role.APP, TUNING.format(name, value), "tuning_value_check")
        for name in ("rrf_k", "image_weight", "keyword_weight", "match:image", "zero_shot:color", "anything")
        for value in ("NaN", "Infinity", "-Infinity", "-1", "1e300")
    ),
    (Role.APP, TUNING.format("rrf_k", 0), "tuning_value_check"),
    (Role.APP, TUNING.format("zero_shot:color", 0), "tuning_value_check"),
    (
        Role.APP,
        "insert into shop.tuning (model_id, name, value, detail) values (1, 'zero_shot:color', 1, '{\"ece\": \"x\"}')",
        "tuning_detail_check",
    ),
    (Role.APP, PRODUCT.format("attributes", DEEP), "product_depth_check"),
    *(
        (Role.APP, PRODUCT.format(column, f"'{link}'"), "product_address_check")
        for column in ("link", "image_link")
        for link in (
            "javascript:alert(1)",
            " JaVaScRiPt:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "file:///etc/passwd",
        )
    ),
]


@pytest.mark.parametrize("role", [Role.ANALYST, Role.APP, Role.ENCODER, Role.GATEWAY])
def test_every_attempt_of_a_role_is_refused(shop: "Shop", role: Role) -> None:
    own = [(statement, refusal) for each, statement, refusal in ATTEMPTS if each is role]
    assert own
    conn = shop.connect(role)
    conn.exec_driver_sql("set default_transaction_read_only = off")
    accepted = []
    for statement, refusal in own:
        try:
            conn.exec_driver_sql(statement)
        except DatabaseError as error:
            if refusal in error.message:
                continue
            accepted.append(f"{statement}: {error.message}")
        else:
            accepted.append(f"{statement}: no error")
    assert accepted == []


@pytest.mark.parametrize("role", [Role.ANALYST, Role.APP, Role.ENCODER, Role.GATEWAY])
@pytest.mark.parametrize("other", ["postgres", "template1"])
def test_a_role_cannot_connect_to_another_database_of_the_embedded_server(shop: "Shop", role: Role, other: str) -> None:
    url = make_url(shop.database.url(role).render_as_string(hide_password=False))
    with pytest.raises(psycopg.OperationalError, match="permission denied for database|User does not have CONNECT"):
        psycopg.connect(url.set(drivername="postgresql", database=other).render_as_string(hide_password=False))


def test_the_context_of_an_error_has_no_password(shop: "Shop") -> None:
    """Clients receive the lines of context that functions add to an error, because PostgreSQL cannot withhold them."""
    url = shop.database.url(Role.ANALYST).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as conn, pytest.raises(psycopg.Error) as raised:
        conn.execute("select shop.clip_text('my own text')")
    context = raised.value.diag.context or ""
    assert "gateway_fetch" in context
    assert "password" not in context.lower()
