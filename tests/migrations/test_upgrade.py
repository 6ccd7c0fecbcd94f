"""The schema from nothing, up, down, again, interrupted, side by side, and on a server that is not ours."""

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from sqlalchemy import make_url, text

from db import functions, schema
from db.engine import Database
from db.errors import DatabaseError, EncoderUnavailable, MissingExtension, SchemaMismatch, SettingsError
from db.lifecycle.deferred_indexes import defer_keywords
from db.lifecycle.serving import every_model, serve_model
from db.roles import Role, Roles
from db.settings import Settings
from migrations.model_revisions import NewModel, _write, add_model
from migrations.upgrade import PROJECT_REVISIONS, downgrade, drift, migrating, scripts, site_revisions, upgrade
from tests.support.databases import Databases

TOY = NewModel("toy", "toy", "revision 1", 24)
WIDE = NewModel("wide", "wide", "revision 1", 40)

CATALOG = {
    "columns": "select c.oid::regclass, a.attnum, attname, format_type(atttypid, atttypmod), attnotnull, attidentity, "
    "pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum) from pg_attribute a "
    "join pg_class c on c.oid = attrelid left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum "
    "where relnamespace in ({s}) and relkind in ('r', 'v') and attnum > 0",
    "tables": "select oid::regclass, relkind, relpersistence, relrowsecurity, reloptions::text, relacl::text "
    "from pg_class where relnamespace in ({s})",
    "constraints": "select conrelid::regclass, conname, pg_get_constraintdef(oid) from pg_constraint "
    "where connamespace in ({s})",
    "indexes": "select indexrelid::regclass, pg_get_indexdef(indexrelid), indisvalid from pg_index "
    "join pg_class c on c.oid = indexrelid where relnamespace in ({s})",
    "functions": "select oid::regprocedure, pg_get_functiondef(oid), proacl::text from pg_proc "
    "where pronamespace in ({s})",
    "views": "select oid::regclass, pg_get_viewdef(oid) from pg_class where relnamespace in ({s}) and relkind = 'v' ",
    "triggers": "select tgname, pg_get_triggerdef(oid) from pg_trigger where not tgisinternal",
    "policies": "select polname, polrelid::regclass, pg_get_expr(polqual, polrelid) from pg_policy",
    "enums": "select enumtypid::regtype, enumlabel, enumsortorder from pg_enum",
}


def admin(database: Database, statement: str) -> list[Any]:
    with database.connect(None) as conn, conn.begin():
        done = conn.exec_driver_sql(statement)
        return list(done.all()) if done.returns_rows else []


def catalog(database: Database) -> dict[str, list[str]]:
    """Everything the two schemas are made of, as text; object numbers left out."""
    schemas = "'shop'::regnamespace, 'shop_private'::regnamespace"
    return {
        kind: sorted(str(row) for row in admin(database, query.format(s=schemas))) for kind, query in CATALOG.items()
    }


def leftovers(database: Database) -> list[str]:
    """Tables, views, functions and types that are there, but for alembic's own."""
    rows = admin(
        database,
        "select oid::regclass::text from pg_class where relnamespace::regnamespace::text in ('shop', 'shop_private') "
        "and relname !~ '^alembic_version' union all select oid::regprocedure::text from pg_proc "
        "where pronamespace::regnamespace::text in ('shop', 'shop_private') union all "
        "select oid::regtype::text from pg_type where typnamespace::regnamespace::text in ('shop', 'shop_private') "
        "and typname !~ 'alembic_version'",
    )
    return [row[0] for row in rows]


@pytest.fixture
def empty(databases: Databases) -> Database:
    """A database in which nothing was ever done."""
    return databases.open(databases.create())


@pytest.fixture
def with_toy(database: Database, settings: Settings) -> Database:
    add_model(database, settings, TOY)
    serve_model(database, "toy")
    return database


# --- up and down


def test_the_code_asks_for_the_newest_revision_there_is(settings: Settings) -> None:
    assert scripts(settings.home).get_heads() == [schema.HEAD]


def test_from_nothing_to_a_schema_that_equals_the_code_and_again_without_effect(
    empty: Database, settings: Settings
) -> None:
    upgrade(empty, settings)
    drift(empty, settings)
    with empty.connect(Role.ANALYST) as conn:
        schema.check(conn)
    before = catalog(empty)
    upgrade(empty, settings)
    assert catalog(empty) == before


def test_functions_and_views_are_the_same_after_they_were_applied_again(with_toy: Database, settings: Settings) -> None:
    before = catalog(with_toy)
    upgrade(with_toy, settings)
    drift(with_toy, settings)
    assert catalog(with_toy) == before
    assert "toy_image" in str(before["views"])


def test_an_upgrade_brings_new_functions_to_a_site_that_has_models(with_toy: Database, settings: Settings) -> None:
    before = catalog(with_toy)
    admin(
        with_toy,
        "create or replace function shop.schema_revision() returns text language sql as $$ select '0000' $$; "
        "drop function shop_private.work_retry",
    )
    upgrade(with_toy, settings)
    assert catalog(with_toy) == before


def test_the_projects_next_revision_goes_on_beside_a_sites_own(
    with_toy: Database, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = tmp_path / "versions"
    shutil.copytree(PROJECT_REVISIONS, versions)
    (versions / "0002_next.py").write_text(
        f'from alembic import op\n\nrevision = "next"\ndown_revision = "{schema.HEAD}"\nbranch_labels = None\n'
        'depends_on = None\n\n\ndef upgrade():\n    op.execute("create table shop.next ()")\n\n\n'
        'def downgrade():\n    op.execute("drop table shop.next")\n'
    )
    admin(with_toy, "drop function shop_private.work_retry")
    monkeypatch.setattr("migrations.upgrade.PROJECT_REVISIONS", versions)
    upgrade(with_toy, settings)
    assert {"shop.next", "shop_private.work_retry(smallint)"} <= set(leftovers(with_toy))
    add_model(with_toy, settings, WIDE)
    assert set(admin(with_toy, "select version_num from shop_private.alembic_version")) == {
        ("next",),
        ("model_wide_index",),
    }
    downgrade(with_toy, settings, schema.HEAD)
    assert "shop.next" not in leftovers(with_toy)
    with with_toy.connect(Role.ANALYST) as conn:
        assert len(every_model(conn)) == 2


def test_all_the_way_down_and_up_again_is_a_fresh_install(
    database: Database, with_toy: Database, settings: Settings, empty: Database
) -> None:
    with_model = catalog(with_toy)
    downgrade(with_toy, settings, "site@base")
    assert "toy" not in str(leftovers(with_toy))
    assert admin(with_toy, "select count(*) from shop.searchable") == [(0,)]
    downgrade(with_toy, settings, "base")
    assert leftovers(with_toy) == []
    upgrade(with_toy, settings)  # the site's revisions are still in its home
    serve_model(with_toy, "toy")
    assert catalog(with_toy) == with_model

    downgrade(with_toy, settings, "base")  # in one go
    assert leftovers(with_toy) == []
    without = Settings(home=settings.home / "elsewhere")
    upgrade(with_toy, without)
    upgrade(empty, without)
    assert catalog(with_toy) == catalog(empty)


def test_a_difference_from_the_code_is_found(database: Database, settings: Settings) -> None:
    admin(database, "alter table shop.product add column mood text")
    with pytest.raises(SchemaMismatch, match="mood"):
        drift(database, settings)


def test_two_upgrades_at_once_both_succeed(empty: Database, settings: Settings) -> None:
    run = (
        "import sys; from pathlib import Path; from sqlalchemy import make_url; from db.engine import Database; "
        "from db.roles import Roles; from db.settings import Settings; from migrations.upgrade import upgrade; "
        "url = make_url(sys.argv[1]); upgrade(Database(url, url, Roles('shop_')), Settings(home=Path(sys.argv[2]), "
        "gateway_password=sys.argv[3]))"
    )
    assert empty.password is not None
    arguments = [
        empty.write.render_as_string(hide_password=False),
        str(settings.home),
        empty.password("shop_gateway"),
    ]
    both = [
        subprocess.Popen([sys.executable, "-c", run, *arguments], stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    for process in both:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    drift(empty, settings)


def test_a_broken_function_file_takes_its_revision_back_with_it(
    empty: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = functions.statements

    def broken(names: Any) -> Iterator[tuple[str, str]]:
        for name, sql in whole(names):
            yield name, "create function shop.broken() returns nonsense" if name == "housekeep" else sql

    with monkeypatch.context() as patched:
        patched.setattr(functions, "statements", broken)
        with pytest.raises(DatabaseError, match="no language"):
            upgrade(empty, settings)
    assert leftovers(empty) == []
    assert admin(empty, "select to_regclass('shop_private.alembic_version')") == [(None,)]
    upgrade(empty, settings)
    drift(empty, settings)


# --- does the schema fit this code?


@pytest.mark.parametrize(
    ("revision", "message", "hint"),
    [
        ("0000", "at revision 0000, this code needs", "windowshop db upgrade"),
        ("9999", "ahead of this code", "upgrade this one too"),
        (None, "has no Windowshop schema", "windowshop db upgrade"),
    ],
)
def test_a_schema_that_does_not_fit_is_refused_with_what_to_do(
    database: Database, empty: Database, revision: str | None, message: str, hint: str
) -> None:
    asked = database if revision else empty
    if revision:
        admin(
            database,
            "create or replace function shop.schema_revision() returns text language sql immutable "
            f"as $$ select '{revision}' $$",
        )
    with asked.connect(None) as conn, pytest.raises(SchemaMismatch, match=message) as raised:
        schema.check(conn)
    assert hint in (raised.value.hint or "")


def test_a_database_with_a_revision_nobody_here_knows_is_left_alone(with_toy: Database, tmp_path: Path) -> None:
    before = catalog(with_toy)
    with pytest.raises(SchemaMismatch, match="model_toy_index") as raised:
        upgrade(with_toy, Settings(home=tmp_path / "another"))
    assert "WINDOWSHOP_HOME" in (raised.value.hint or "")
    assert catalog(with_toy) == before


# --- models


def test_adding_a_model_again_changes_nothing(with_toy: Database, settings: Settings) -> None:
    before = catalog(with_toy)
    assert add_model(with_toy, settings, TOY) == []
    assert catalog(with_toy) == before
    with with_toy.connect(Role.ANALYST) as conn:
        [row] = every_model(conn)
    assert (row.name, row.source, row.revision, row.dimension, row.status) == (
        "toy",
        "toy",
        "revision 1",
        24,
        "serving",
    )


@pytest.mark.parametrize("other", [NewModel("toy", "toy", "revision 2", 24), NewModel("toy", "toy", "revision 1", 40)])
def test_a_name_that_other_weights_have_is_refused(with_toy: Database, settings: Settings, other: NewModel) -> None:
    with pytest.raises(SettingsError, match="already there with other weights") as raised:
        add_model(with_toy, settings, other)
    assert "--as" in (raised.value.hint or "")


@pytest.mark.parametrize(
    "name", ["product", "searchable", "toy_index", "Toy", "7up", "two-words", "", "x" * 41, "été", "a b"]
)
def test_a_name_that_cannot_name_tables_is_refused_and_nothing_is_written(
    database: Database, settings: Settings, name: str
) -> None:
    with pytest.raises(SettingsError, match="model name"):
        add_model(database, settings, NewModel(name, "toy", "revision 1", 24))
    assert not site_revisions(settings.home).exists()
    upgrade(database, settings)


def test_the_longest_name_has_room_for_all_that_is_named_after_it(database: Database, settings: Settings) -> None:
    name = "x" * 40
    add_model(database, settings, NewModel(name, "toy", "revision 1", 24))
    serve_model(database, name)
    drift(database, settings)
    assert admin(database, f"select to_regclass('shop.{name}_image_hnsw') is not null") == [(True,)]


def test_a_source_is_taken_literally(database: Database, settings: Settings) -> None:
    source = '/models/it\'s 100% "mine": C:\\new\\table :name {x} %s \U0001f9e5'
    add_model(database, settings, NewModel("odd", source, "sha:'1'", 24))
    with database.connect(Role.ANALYST) as conn:
        [row] = every_model(conn)
    assert (row.source, row.revision) == (source, "sha:'1'")


def test_a_models_revisions_can_be_read_and_reviewed(database: Database, settings: Settings) -> None:
    written = add_model(database, settings, TOY)
    assert [path.name for path in written] == ["model_toy.py", "model_toy_index.py"]
    first, second = (path.read_text() for path in written)
    assert 'op.create_embedding_tables("toy", 24)' in first
    assert 'op.drop_embedding_tables("toy", 24)' in first
    assert second.index("create_hnsw_index") < second.index("list_catalog")
    ruff = [sys.executable, "-m", "ruff"]
    for check in ([*ruff, "format", "--check", "--isolated", "--line-length=120"], [*ruff, "check", "--isolated"]):
        done = subprocess.run([*check, *map(str, written)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_two_models_live_on_one_branch_and_go_together(with_toy: Database, settings: Settings) -> None:
    add_model(with_toy, settings, WIDE)
    assert sorted(scripts(settings.home).get_heads()) == [schema.HEAD, "model_wide_index"]
    serve_model(with_toy, "wide", force=True)
    drift(with_toy, settings)
    with with_toy.connect(Role.ANALYST) as conn:
        assert [(row.name, row.status) for row in every_model(conn)] == [("toy", "building"), ("wide", "serving")]
    downgrade(with_toy, settings, "model_toy_index")  # only the newer one, though it serves
    with with_toy.connect(Role.ANALYST) as conn:
        assert [row.name for row in every_model(conn)] == ["toy"]
    assert admin(with_toy, "select count(*) from shop.searchable") == [(0,)]


def test_adding_a_model_lists_the_whole_catalog_for_it(with_toy: Database, settings: Settings) -> None:
    insert_products(with_toy, 5)
    add_model(with_toy, settings, WIDE)
    assert waiting(with_toy) == {("toy", "image"): 5, ("toy", "title"): 5, ("wide", "image"): 5, ("wide", "title"): 5}


def insert_products(database: Database, count: int) -> None:
    admin(
        database,
        "insert into shop.product (product_id, sku, title) select shop.product_id('s' || n), 's' || n, 't' "
        f"from generate_series(1, {count}) n; insert into shop.product_image (product_id, position, uri) "
        "select product_id, 0, 'https://cdn.example/x.jpg' from shop.product",
    )


def waiting(database: Database) -> dict[tuple[str, str], int]:
    rows = admin(
        database,
        "select m.name, part::text, count(*) from shop_private.work join shop.model m using (model_id) group by 1, 2",
    )
    return {(name, part): count for name, part, count in rows}


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read"])
def test_a_product_that_was_being_inserted_meanwhile_is_not_missed(
    database: Database, settings: Settings, isolation: str
) -> None:
    with database.connect(Role.APP) as writer:
        writer.exec_driver_sql(f"set transaction isolation level {isolation}")
        writer.exec_driver_sql("select 1 from shop.product")  # the snapshot is taken: no model is known in it
        if isolation == "read committed":
            insert_one(writer)
        adding = threading.Thread(target=lambda: add_model(database, settings, TOY))
        adding.start()
        time.sleep(1.0)
        assert adding.is_alive()  # it waits for this transaction
        if isolation == "repeatable read":
            insert_one(writer)
        writer.commit()
        adding.join(30)
    assert waiting(database) == {("toy", "title"): 1}


def insert_one(conn: Any) -> None:
    conn.exec_driver_sql("insert into shop.product (product_id, sku, title) values (shop.product_id('s'), 's', 't')")


def test_products_loaded_all_the_while_are_each_listed_once(database: Database, settings: Settings) -> None:
    stop, loaded = threading.Event(), []

    def load() -> None:
        with database.connect(Role.APP) as conn:
            while not stop.is_set():
                sku = f"s{len(loaded)}"
                conn.execute(
                    text("insert into shop.product (product_id, sku, title) values (shop.product_id(:s), :s, 't')"),
                    {"s": sku},
                )
                conn.commit()
                loaded.append(sku)

    loader = threading.Thread(target=load)
    loader.start()
    try:
        add_model(database, settings, TOY)
    finally:
        stop.set()
        loader.join()
    assert waiting(database) == {("toy", "title"): len(loaded)}


def test_a_model_whose_indexes_were_never_reached_is_finished_by_the_next_upgrade(
    database: Database, settings: Settings
) -> None:
    insert_products(database, 3)
    with migrating(database, settings):
        _write(settings.home, TOY)
    with migrating(database, settings) as (config, _, _):
        command.upgrade(config, "model_toy")
    assert admin(database, "select count(*) from pg_indexes where indexname ~ '^toy_.*_hnsw$'") == [(0,)]
    upgrade(database, settings)
    assert valid_indexes(database) == {"toy_image_hnsw": True, "toy_title_hnsw": True}
    assert waiting(database) == {("toy", "image"): 3, ("toy", "title"): 3}
    drift(database, settings)


def valid_indexes(database: Database) -> dict[str, bool]:
    rows = admin(
        database,
        "select relname, indisvalid from pg_index join pg_class on oid = indexrelid where relname ~ '^toy_.*_hnsw$'",
    )
    return dict(map(tuple, rows))


def test_an_index_that_an_interrupted_build_left_invalid_is_built_again(with_toy: Database, settings: Settings) -> None:
    numbers = "select relname, oid from pg_class where relname ~ '^toy_.*_hnsw$' order by 1"
    before = admin(with_toy, numbers)
    admin(with_toy, "update pg_index set indisvalid = false where indexrelid = 'shop.toy_image_hnsw'::regclass")
    admin(
        with_toy,
        "update shop_private.alembic_version set version_num = 'model_toy' where version_num = 'model_toy_index'",
    )
    assert valid_indexes(with_toy) == {"toy_image_hnsw": False, "toy_title_hnsw": True}
    upgrade(with_toy, settings)
    assert valid_indexes(with_toy) == {"toy_image_hnsw": True, "toy_title_hnsw": True}
    after = admin(with_toy, numbers)
    assert after[0] != before[0]  # another index
    assert after[1] == before[1]  # this one was whole


# --- copies of a database


def server_entry(database: Database) -> str:
    return str(admin(database, "select srvoptions from pg_foreign_server where srvname = 'shop_primary'"))


def test_a_copy_names_the_old_database_until_it_is_upgraded(
    databases: Databases, template: str, settings: Settings
) -> None:
    copied = databases.open(databases.create(template))
    name = str(copied.write.database)
    assert f"dbname={template}'" in server_entry(copied)
    setting = (
        "select setconfig from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase "
        "where datname = current_database() and setrole = 0"
    )
    assert admin(copied, setting) == []  # the settings of a database are not copied
    upgrade(copied, settings)
    assert f"dbname={name}'" in server_entry(copied)
    assert admin(copied, setting) == [(["hnsw.iterative_scan=relaxed_order", "hnsw.ef_search=100"],)]


def test_a_gateway_that_cannot_be_reached_is_an_error_of_the_upgrade(empty: Database, settings: Settings) -> None:
    wrong = settings.model_copy(update={"gateway_host": "127.0.0.1", "gateway_port": 1})
    with pytest.raises(DatabaseError, match=r"cannot log in to itself as the gateway.*refused") as raised:
        upgrade(empty, wrong)
    assert "WINDOWSHOP_GATEWAY_HOST" in (raised.value.hint or "")
    upgrade(empty, settings)  # and is mended by the right one


# --- a server that is not ours: several sites on it, an owner without superuser rights


class Tenants:
    """Databases on a server that belongs to somebody else, and roles with a prefix of their own."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._made: list[str] = []

    def database(self, prefix: str, login: str | None = None) -> Database:
        name = self._databases.create()
        self._made.append(name)
        url = make_url(self._databases.admin_url(name)).set(drivername="postgresql+psycopg")
        if login:
            self.admin(f"alter database {name} owner to {login}")
            url = url.set(username=login, password="managed")
        return Database(url, url, Roles(prefix))

    def admin(self, statement: str, database: str = "postgres") -> None:
        with psycopg.connect(self._databases.admin_url(database), autocommit=True) as conn:
            conn.execute(statement)  # type: ignore[arg-type]  # from the code under test, or from here

    def drop(self, *prefixes: str) -> None:
        for name in self._made:
            self.admin(f"drop database if exists {name} with (force)")
        with psycopg.connect(self._databases.admin_url(), autocommit=True) as conn:
            for prefix in prefixes:
                for [name] in conn.execute("select rolname from pg_roles where starts_with(rolname, %s)", [prefix]):
                    conn.execute(f"drop owned by {name}; drop role {name}")  # type: ignore[arg-type]


@pytest.fixture
def tenants(databases: Databases) -> Iterator[Tenants]:
    made = Tenants(databases)
    yield made
    made.drop("managed_", "tenant_")


@pytest.fixture
def managed(tenants: Tenants) -> Database:
    tenants.admin("create role managed_admin login password 'managed'")
    return tenants.database("managed_", "managed_admin")


def test_a_plain_owner_needs_exactly_the_printed_commands(
    tenants: Tenants, managed: Database, settings: Settings
) -> None:
    name = str(managed.write.database)
    with pytest.raises(MissingExtension, match="lacks the extension vector") as raised:
        upgrade(managed, settings)
    commands = (raised.value.hint or "").split("\n", 1)[1]
    assert "create extension if not exists dblink" in commands
    tenants.admin("create extension vector", name)
    with pytest.raises(MissingExtension, match="lacks the extension dblink"):
        upgrade(managed, settings)
    tenants.admin(commands, name)

    upgrade(managed, settings)
    upgrade(managed, settings)
    drift(managed, settings)
    add_model(managed, settings, TOY)
    serve_model(managed, "toy")
    with managed.connect(Role.ANALYST) as conn:
        assert conn.exec_driver_sql("select current_user").scalar() == "managed_analyst"
        with pytest.raises(EncoderUnavailable, match="no encoder is connected"):  # said by the gateway: it was reached
            conn.exec_driver_sql("select shop.clip_text('a')")
    with managed.connect(Role.ENCODER) as conn:
        assert conn.exec_driver_sql("select count(*) from shop.coverage").scalar() == 0
    downgrade(managed, settings, "base")
    assert leftovers(managed) == []


def test_rights_that_are_missing_are_asked_for_by_the_commands(
    tenants: Tenants, managed: Database, settings: Settings
) -> None:
    tenants.admin(
        "create extension vector; create schema shop_dblink; create extension dblink schema shop_dblink; "
        "revoke execute on all functions in schema shop_dblink from public",
        str(managed.write.database),
    )
    with pytest.raises(DatabaseError, match="managed_admin may not pass on the use of dblink") as raised:
        upgrade(managed, settings)
    assert "grant usage on foreign data wrapper dblink_fdw to managed_admin" in (raised.value.hint or "")


def test_an_owner_who_may_not_make_roles_is_told_so(tenants: Tenants, managed: Database, settings: Settings) -> None:
    with pytest.raises(MissingExtension) as raised:
        upgrade(managed, settings)
    commands = (raised.value.hint or "").split("\n", 1)[1]
    tenants.admin(commands, str(managed.write.database))
    tenants.admin("alter role managed_admin nocreaterole")
    with pytest.raises(DatabaseError, match=r"create role|CREATEROLE|permission denied"):
        upgrade(managed, settings)


@pytest.mark.parametrize("login", [None, "managed_admin"])
def test_dblink_that_everybody_may_use_is_refused_with_the_command(
    tenants: Tenants, managed: Database, settings: Settings, login: str | None
) -> None:
    database = managed if login else tenants.database("managed_")
    name = str(database.write.database)
    tenants.admin("create extension vector; create extension dblink schema public", name)
    with pytest.raises(DatabaseError, match="PUBLIC may execute dblink's functions in schema public") as raised:
        upgrade(database, settings)
    assert "revoke execute on all functions in schema public from public" in (raised.value.hint or "")
    assert admin(database, "select to_regclass('shop_private.alembic_version')") == [(None,)]


def test_dblink_in_another_schema_is_found_there(tenants: Tenants, settings: Settings) -> None:
    database = tenants.database("tenant_")
    tenants.admin(
        'create extension vector; create schema "Odd one"; create extension dblink schema "Odd one"; '
        'revoke execute on all functions in schema "Odd one" from public',
        str(database.write.database),
    )
    upgrade(database, settings)
    drift(database, settings)
    add_model(database, settings, TOY)
    serve_model(database, "toy")
    with (
        database.connect(Role.ANALYST) as conn,
        pytest.raises(EncoderUnavailable, match="no encoder is connected"),
    ):
        conn.exec_driver_sql("select shop.clip_text('a')")


def test_two_sites_with_the_same_roles_must_agree_on_the_gateways_password(tenants: Tenants, tmp_path: Path) -> None:
    first, second = tenants.database("tenant_"), tenants.database("tenant_")
    upgrade(first, Settings(home=tmp_path / "first"))
    with pytest.raises(SettingsError, match=f"in use by database {first.write.database}") as raised:
        upgrade(second, Settings(home=tmp_path / "second"))
    assert "WINDOWSHOP_GATEWAY_PASSWORD" in (raised.value.hint or "")
    for database, home in ((first, "first"), (second, "second")):
        shared = Settings(home=tmp_path / home, gateway_password="the same")  # type: ignore[arg-type]
        upgrade(database, shared)
    for database, home in ((first, "first"), (second, "second")):
        upgrade(database, Settings(home=tmp_path / home))  # from here on each mapping knows it


def test_an_upgrade_keeps_the_gateways_random_password(tenants: Tenants, settings: Settings) -> None:
    database = tenants.database("tenant_")
    look = "select umoptions from pg_user_mappings where srvname = 'shop_primary'"
    upgrade(database, settings)
    before = admin(database, look)
    upgrade(database, settings)
    assert admin(database, look) == before
    assert "password=" in str(before)
    admin(database, "alter role tenant_gateway password 'changed behind our back'")
    upgrade(database, settings)  # a new one, that works
    assert admin(database, look) != before


def test_going_back_builds_the_indexes_that_were_left_out(database: Database, settings: Settings) -> None:
    count = "select count(*) from pg_index where indisvalid and indrelid = 'shop.product'::regclass"
    before = admin(database, count)
    assert defer_keywords(database)
    assert admin(database, count) != before
    downgrade(database, settings, "0005")
    assert admin(database, count) == before
    upgrade(database, settings)
    drift(database, settings)
