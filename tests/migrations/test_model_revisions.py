"""Adding a model writes revisions to the site's home folder, creates the model's tables and adds work items."""

import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from alembic import command
from sqlalchemy import text

from db import schema
from db.engine import Database
from db.errors import DatabaseError, SettingsError
from db.lifecycle.serving import every_model, serve_model
from db.roles import Role
from db.settings import Settings
from migrations.model_revisions import NewModel, _write, add_model, check_name
from migrations.upgrade import downgrade, drift, migrating, scripts, site_revisions, upgrade
from tests.support.databases import admin
from tests.support.schema_objects import catalog
from tests.support.shop import TOY, WIDE


@pytest.mark.parametrize("name", ["product", "searchable"])
def test_the_name_of_a_table_of_the_shop_is_refused_with_the_reason(name: str) -> None:
    with pytest.raises(SettingsError) as refused:
        check_name(name)
    assert f"Windowshop itself has shop.{name}_image." in (refused.value.hint or "")


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
def test_adding_other_weights_under_the_name_of_a_model_is_refused(
    with_toy: Database, settings: Settings, other: NewModel
) -> None:
    with pytest.raises(SettingsError, match="exists already with other weights") as raised:
        add_model(with_toy, settings, other)
    assert "--as" in (raised.value.hint or "")


@pytest.mark.parametrize(
    "name", ["product", "searchable", "toy_index", "Toy", "7up", "two-words", "", "x" * 41, "été", "a b"]
)
def test_an_invalid_model_name_is_refused_and_no_revision_is_written(
    database: Database, settings: Settings, name: str
) -> None:
    with pytest.raises(SettingsError, match="model name"):
        add_model(database, settings, NewModel(name, "toy", "revision 1", 24))
    assert not site_revisions(settings.home).exists()
    upgrade(database, settings)


def test_the_tables_and_indexes_of_a_model_name_of_40_characters_are_created(
    database: Database, settings: Settings
) -> None:
    name = "x" * 40
    add_model(database, settings, NewModel(name, "toy", "revision 1", 24))
    serve_model(database, name)
    drift(database, settings)
    assert admin(database, f"select to_regclass('shop.{name}_image_hnsw') is not null") == [(True,)]


def test_a_model_source_is_stored_unchanged(database: Database, settings: Settings) -> None:
    source = '/models/it\'s 100% "mine": C:\\new\\table :name {x} %s \U0001f9e5'
    add_model(database, settings, NewModel("odd", source, "sha:'1'", 24))
    with database.connect(Role.ANALYST) as conn:
        [row] = every_model(conn)
    assert (row.source, row.revision) == (source, "sha:'1'")


def test_the_revisions_of_a_model_pass_the_formatter_and_the_linter(database: Database, settings: Settings) -> None:
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


def test_a_downgrade_to_the_first_of_two_models_removes_only_the_newer_model(
    with_toy: Database, settings: Settings
) -> None:
    add_model(with_toy, settings, WIDE)
    assert sorted(scripts(settings.home).get_heads()) == [schema.HEAD, "model_wide_index"]
    serve_model(with_toy, "wide", force=True)
    drift(with_toy, settings)
    with with_toy.connect(Role.ANALYST) as conn:
        assert [(row.name, row.status) for row in every_model(conn)] == [("toy", "building"), ("wide", "serving")]
    downgrade(with_toy, settings, "model_toy_index")  # removes the newer model, although it is serving
    with with_toy.connect(Role.ANALYST) as conn:
        assert [row.name for row in every_model(conn)] == ["toy"]
    assert admin(with_toy, "select count(*) from shop.searchable") == [(0,)]


def test_adding_a_model_creates_work_items_for_the_whole_catalog(with_toy: Database, settings: Settings) -> None:
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
def test_a_product_of_a_concurrent_transaction_gets_work_items_for_a_new_model(
    database: Database, settings: Settings, isolation: str
) -> None:
    with database.connect(Role.APP) as writer:
        writer.exec_driver_sql(f"set transaction isolation level {isolation}")
        # With repeatable read, the transaction takes its snapshot here, before the model is added.
        writer.exec_driver_sql("select 1 from shop.product")
        if isolation == "read committed":
            insert_one(writer)
        adding = threading.Thread(target=lambda: add_model(database, settings, TOY))
        adding.start()
        time.sleep(1.0)
        assert adding.is_alive()  # the thread that adds the model waits for this transaction
        if isolation == "repeatable read":
            insert_one(writer)
        writer.commit()
        adding.join(60)
    assert waiting(database) == {("toy", "title"): 1}


def insert_one(conn: Any) -> None:
    conn.exec_driver_sql("insert into shop.product (product_id, sku, title) values (shop.product_id('s'), 's', 't')")


def test_products_that_are_loaded_while_a_model_is_added_get_work_items_once(
    database: Database, settings: Settings
) -> None:
    stop, loaded, errors = threading.Event(), list[str](), list[DatabaseError]()

    def load() -> None:
        try:
            load_until_stop()
        except DatabaseError as error:
            errors.append(error)

    def load_until_stop() -> None:
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
    assert errors == []
    assert waiting(database) == {("toy", "title"): len(loaded)}


def test_the_next_upgrade_builds_indexes_that_an_interrupted_upgrade_did_not_build(
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
    assert after[0] != before[0]  # the image index was built again
    assert after[1] == before[1]  # the title index was valid and is kept
