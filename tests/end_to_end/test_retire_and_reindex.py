"""Migrations in WINDOWSHOP_HOME/revisions retire and restore models and rebuild indexes while searches run."""

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from db.engine import Database
from db.errors import DatabaseError, SettingsError
from db.lifecycle.indexes import building, every_index
from db.lifecycle.serving import every_model, serve_model
from db.lifecycle.status import coverage, model_status
from db.roles import Role
from db.settings import Settings
from migrations.model_revisions import NewModel, add_model
from migrations.operations import indexes as index_operations
from migrations.reindex import rebuild_indexes
from migrations.retire import retire_model
from migrations.upgrade import downgrade, drift, upgrade
from tests.support.databases import Databases, admin
from tests.support.processes import wait_until

pytestmark = pytest.mark.deploy
TOY = NewModel("toy", "toy", "revision 1", 24)
WIDE = NewModel("wide", "wide", "revision 1", 40)
PRODUCTS = 300


@pytest.fixture(scope="module")
def two_template(databases: Databases, template: str, public_folder: Path) -> tuple[str, Path]:
    """Returns the name of a migrated database and the home folder with its revisions. Model toy is serving, and model
    wide has status building. Both models have a vector of each image and title."""
    database, home = databases.copy(template), public_folder / "retire-home"
    for model in (TOY, WIDE):
        add_model(database, Settings(home=home), model)
    serve_model(database, "toy")
    admin(
        database,
        "insert into shop.product (product_id, sku, title) select shop.product_id('s' || n), 's' || n, 't' "
        f"from generate_series(1, {PRODUCTS}) n; insert into shop.product_image (product_id, position, uri) "
        "select product_id, 0, 'https://cdn.example/' || sku from shop.product",
    )
    for name, dimension in (("toy", 24), ("wide", 40)):
        for part, position in (("image", "0, "), ("title", "")):
            admin(
                database,
                f"insert into shop.{name}_{part} (product_id, {'position, ' if position else ''}embedding, source) "
                f"select product_id, {position}l2_normalize(array(select sin(substr(sku, 2)::integer * (1 + i * i)) "
                f"from generate_series(1, {dimension}) i)::real[]::vector)::halfvec, 'x' from shop.product",
            )
    admin(database, "delete from shop_private.work")
    return str(database.write.database), home


@pytest.fixture
def two_model_database(databases: Databases, two_template: tuple[str, Path], settings: Settings) -> Database:
    name, home = two_template
    shutil.copytree(home, settings.home)
    return databases.copy(name)


def statuses(database: Database) -> dict[str, str]:
    with database.connect(Role.ANALYST) as conn:
        return {row.name: row.status for row in every_model(conn)}


def tables(database: Database) -> list[str]:
    rows = admin(
        database, "select relname from pg_class where relname ~ '^(toy|wide)_' and relkind in ('r', 'i') order by 1"
    )
    return [row[0] for row in rows]


WIDE_TABLES = [
    "wide_image", "wide_image_hnsw", "wide_image_pkey", "wide_title", "wide_title_hnsw", "wide_title_pkey",
]  # fmt: skip


# --- retire


def test_a_retired_model_is_listed_but_its_tables_work_items_and_cached_queries_are_gone(
    two_model_database: Database, settings: Settings
) -> None:
    admin(
        two_model_database,
        "insert into shop_private.query_embedding (model_id, key, embedding) select model_id, 'x', '[1]' "
        "from shop.model; update shop.product set title = 'changed'",
    )
    written = retire_model(two_model_database, settings, "wide")
    assert [path.name for path in written] == ["site_0005_unindex_wide.py", "site_0006_retire_wide.py"]
    assert statuses(two_model_database) == {"toy": "serving", "wide": "retired"}
    assert not set(WIDE_TABLES) & set(tables(two_model_database))
    for table in ("work", "query_embedding"):
        assert admin(two_model_database, f"select distinct model_id from shop_private.{table}") == [(1,)]
    with two_model_database.connect(Role.ANALYST) as conn:
        assert set(coverage(conn)) == {"toy"}
        _, wide = model_status(conn, {})
        assert (wide.status, wide.coverage, wide.indexes, wide.evaluation) == ("retired", {}, [], None)
    admin(two_model_database, "update shop.product set title = 'changed again'")  # creates no work item for wide
    assert admin(two_model_database, "select distinct model_id from shop_private.work") == [(1,)]
    drift(two_model_database, settings)
    assert retire_model(two_model_database, settings, "wide") == []


def test_revisions_that_retire_a_model_pass_ruff_and_a_downgrade_restores_empty_tables(
    two_model_database: Database, settings: Settings
) -> None:
    unindex, retire = retire_model(two_model_database, settings, "wide")
    assert 'op.retire_model("wide", 40)' in retire.read_text()
    assert 'op.restore_model("wide", 40)' in retire.read_text().split("def downgrade")[1]
    _readable([unindex, retire])
    downgrade(two_model_database, settings, "model_wide_index")
    assert statuses(two_model_database) == {"toy": "serving", "wide": "building"}
    assert set(WIDE_TABLES) < set(tables(two_model_database))
    with two_model_database.connect(Role.ANALYST) as conn:
        assert coverage(conn)["wide"]["image"].waiting == PRODUCTS
    upgrade(two_model_database, settings)  # runs the revisions again, because their files still exist
    drift(two_model_database, settings)
    assert statuses(two_model_database)["wide"] == "retired"


def _readable(files: list[Path]) -> None:
    ruff = [sys.executable, "-m", "ruff"]
    for check in ([*ruff, "format", "--check", "--isolated", "--line-length=120"], [*ruff, "check", "--isolated"]):
        done = subprocess.run([*check, *map(str, files)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_a_model_that_is_added_again_has_work_items_for_the_whole_catalog(
    two_model_database: Database, settings: Settings
) -> None:
    retire_model(two_model_database, settings, "wide")
    with pytest.raises(SettingsError, match="exists already with other weights"):
        add_model(two_model_database, settings, NewModel("wide", "wide", "revision 2", 40))
    with pytest.raises(DatabaseError, match="'wide' is retired"):
        serve_model(two_model_database, "wide", force=True)
    written = add_model(two_model_database, settings, WIDE)
    assert [path.name for path in written] == ["site_0007_restore_wide.py", "site_0008_index_wide.py"]
    _readable(written)
    assert statuses(two_model_database)["wide"] == "building"
    with two_model_database.connect(Role.ANALYST) as conn:
        assert {part: covered.waiting for part, covered in coverage(conn)["wide"].items()} == {
            "image": PRODUCTS,
            "title": PRODUCTS,
        }
    retire_model(two_model_database, settings, "wide")
    assert statuses(two_model_database)["wide"] == "retired"
    downgrade(two_model_database, settings, "site@base")
    assert statuses(two_model_database) == {}


def test_the_serving_model_and_an_unknown_model_cannot_be_retired(
    two_model_database: Database, settings: Settings
) -> None:
    with pytest.raises(DatabaseError, match="model toy is serving"):
        retire_model(two_model_database, settings, "toy")
    with pytest.raises(DatabaseError, match="no model nonesuch"):
        retire_model(two_model_database, settings, "nonesuch")
    assert statuses(two_model_database) == {"toy": "serving", "wide": "building"}


def test_an_upgrade_that_would_retire_the_serving_model_is_refused(
    two_model_database: Database, settings: Settings
) -> None:
    retire_model(two_model_database, settings, "wide")
    downgrade(two_model_database, settings, "model_wide_index")
    serve_model(two_model_database, "wide", force=True)
    with pytest.raises(DatabaseError, match="model wide is serving"):
        upgrade(two_model_database, settings)
    assert statuses(two_model_database)["wide"] == "serving"
    assert {"wide_image", "wide_title"} < set(tables(two_model_database))


def test_retirement_does_not_block_searches(two_model_database: Database, settings: Settings) -> None:
    """Two threads search without a pause, and no search waits longer than 1 s for a lock."""
    searching = threading.Event()
    stop, errors, done = threading.Event(), list[BaseException](), list[int]()

    def search() -> None:
        with two_model_database.connect(Role.ANALYST) as conn:
            conn.exec_driver_sql("set lock_timeout = '1s'")
            while not stop.is_set():
                try:
                    conn.exec_driver_sql("select count(*) from shop.searchable, pg_sleep(0.05)")
                    conn.commit()
                    done.append(1)
                    searching.set()
                except BaseException as error:
                    errors.append(error)
                    return

    threads = [threading.Thread(target=search) for _ in range(2)]
    for thread in threads:
        thread.start()
    searching.wait(10)
    try:
        retire_model(two_model_database, settings, "wide")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert errors == []
    assert statuses(two_model_database)["wide"] == "retired"


# --- indexes


def indexes(database: Database, model: str = "toy") -> dict[str, tuple[int, int, bool]]:
    with database.connect(Role.ANALYST) as conn:
        return {
            index.name: (index.m, index.ef_construction, index.valid)
            for index in every_index(conn, {})
            if index.model == model
        }


def test_rebuilt_indexes_keep_their_names_and_a_downgrade_restores_the_old_indexes(
    two_model_database: Database, settings: Settings
) -> None:
    assert indexes(two_model_database) == {"toy_image_hnsw": (16, 64, True), "toy_title_hnsw": (16, 64, True)}
    before = indexes(two_model_database, "wide")
    written = rebuild_indexes(two_model_database, settings, m=8, ef_construction=32)
    assert written.name == "site_0005_reindex_toy.py"
    _readable([written])
    assert indexes(two_model_database) == {"toy_image_hnsw": (8, 32, True), "toy_title_hnsw": (8, 32, True)}
    assert indexes(two_model_database, "wide") == before
    rebuild_indexes(two_model_database, settings, model="wide", m=4)
    assert indexes(two_model_database, "wide") == {"wide_image_hnsw": (4, 64, True), "wide_title_hnsw": (4, 64, True)}
    drift(two_model_database, settings)
    downgrade(two_model_database, settings, "model_wide_index")
    assert indexes(two_model_database) == {"toy_image_hnsw": (16, 64, True), "toy_title_hnsw": (16, 64, True)}
    assert indexes(two_model_database, "wide") == before


def test_a_rebuild_with_invalid_parameters_is_refused_and_writes_no_revision(
    two_model_database: Database, settings: Settings
) -> None:
    with pytest.raises(SettingsError, match="twice m"):
        rebuild_indexes(two_model_database, settings, m=64, ef_construction=64)
    with pytest.raises(DatabaseError, match="model nonesuch has no indexes"):
        rebuild_indexes(two_model_database, settings, model="nonesuch")
    assert len(list((settings.home / "revisions").glob("*.py"))) == 4


BUILD = "create index toy_image_hnsw_next on shop.toy_image using hnsw (embedding halfvec_cosine_ops) with "
WANTED = "(m = 8, ef_construction = 32); "
INVALID = "update pg_index set indisvalid = false where indexrelid = 'shop.{}'::regclass"
INTERRUPTIONS = {
    "in the build": BUILD + WANTED + INVALID.format("toy_image_hnsw_next"),
    "after the build": BUILD + WANTED,
    "in the drop": BUILD + WANTED + INVALID.format("toy_image_hnsw"),
    "before the renaming": BUILD + WANTED + "drop index shop.toy_image_hnsw",
    "of another rebuild": BUILD + "(m = 5, ef_construction = 10)",
}


@pytest.mark.parametrize("moment", INTERRUPTIONS)
def test_an_interrupted_rebuild_is_finished_by_the_next_upgrade(
    two_model_database: Database, settings: Settings, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):  # noqa: PT012
        patched.setattr(index_operations, "CreateHnswIndex", interrupted)
        rebuild_indexes(two_model_database, settings, m=8, ef_construction=32)
    assert indexes(two_model_database) == {"toy_image_hnsw": (16, 64, True), "toy_title_hnsw": (16, 64, True)}
    admin(two_model_database, INTERRUPTIONS[moment])
    upgrade(two_model_database, settings)
    assert indexes(two_model_database) == {"toy_image_hnsw": (8, 32, True), "toy_title_hnsw": (8, 32, True)}


def test_an_index_that_is_being_built_shows_its_progress(two_model_database: Database, databases: Databases) -> None:
    """The build waits in its first phase for a transaction that began before the build."""
    name = str(two_model_database.write.database)
    with psycopg.connect(databases.admin_url(name)) as writer:
        writer.execute("update shop.toy_image set source = 'y' where product_id = shop.product_id('s1')")

        def build() -> None:
            with psycopg.connect(databases.admin_url(name), autocommit=True) as conn:
                conn.execute(
                    "create index concurrently toy_image_hnsw_next on shop.toy_image "
                    "using hnsw (embedding halfvec_cosine_ops)"
                )

        builder = threading.Thread(target=build)
        builder.start()

        def states(told: bool = True) -> dict[str, str]:
            with two_model_database.connect(None) as conn:
                found = building(conn) if told else {}
            with two_model_database.connect(Role.ANALYST) as conn:
                return {index.name: index.state for index in every_index(conn, found)}

        # For a moment, the progress report of PostgreSQL does not name the index, so the test waits.
        wait_until(lambda: states().get("toy_image_hnsw_next") == "building, 0%", 60, "the start of the build")
        unknown = states(told=False)
        # A session without rights on the build gets no progress report from PostgreSQL.
        assert unknown["toy_image_hnsw_next"] == "not valid"
        assert unknown["toy_image_hnsw"] == "valid"
        writer.commit()
    builder.join()
    assert indexes(two_model_database)["toy_image_hnsw_next"] == (16, 64, True)


def test_search_results_stay_the_same_during_a_rebuild(two_model_database: Database, settings: Settings) -> None:
    stop, errors, seen = threading.Event(), list[BaseException](), set[tuple[str, ...]]()
    ask = text(
        "select array_agg(sku order by rank), min(route) from shop.search(inputs => jsonb_build_array("
        "jsonb_build_object('sku', 's7')), k => 10, route => 'hnsw')"
    )

    def search() -> None:
        with two_model_database.connect(Role.ANALYST) as conn:
            conn = conn.execution_options(isolation_level="AUTOCOMMIT")
            conn.exec_driver_sql("set lock_timeout = '1s'")
            while not stop.is_set():
                try:
                    skus, route = conn.execute(ask).one()
                    assert route == "hnsw"
                    seen.add(tuple(skus))
                except BaseException as error:
                    errors.append(error)
                    return

    threads = [threading.Thread(target=search) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        rebuild_indexes(two_model_database, settings, m=24, ef_construction=100)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert errors == []
    assert len(seen) == 1  # among 300 vectors, the old and the new index find the same ten products
