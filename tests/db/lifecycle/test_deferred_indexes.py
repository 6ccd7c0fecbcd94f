"""A large first load drops some indexes and foreign keys and builds them at its end. If the load is killed, the
next load builds them. Searches are correct while indexes are missing. The HNSW index of a table with few vectors
is deferred too, if many work items wait."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from db.catalog.product import Product
from db.engine import Database
from db.errors import DatabaseError
from db.lifecycle import deferred_indexes
from db.lifecycle.deferred_indexes import (
    PRODUCT_INDEXES,
    PRODUCT_KEYS,
    build,
    build_vectors,
    defer_product_indexes,
    defer_vectors,
)
from db.lifecycle.indexes import every_index
from db.locks import Lock, hold
from db.roles import Role
from db.search.statement import Query, search
from loader import chunk_writer
from loader.errors import SourceDamaged
from migrations.reindex import rebuild_indexes
from tests.support.databases import Databases
from tests.support.loading import load_catalog

if TYPE_CHECKING:
    from db.settings import Settings
    from tests.support.shop import Shop

HNSW = {"toy_image_hnsw", "toy_title_hnsw"}


@pytest.fixture
def own_shop(databases: Databases, toy_template: tuple[str, Path]) -> Iterator["Shop"]:
    """Yields a shop in a new database, because the tests of this file drop indexes that other tests need."""
    from tests.support.shop import Shop

    made = Shop(databases.copy(toy_template[0]))
    yield made
    made.close()


def definitions(shop: "Shop") -> dict[str, str]:
    """Returns the definition of each valid index of schema shop by its name. A search uses only valid indexes."""
    rows = shop.run(
        "select c.relname, pg_get_indexdef(c.oid) from pg_index i join pg_class c on c.oid = i.indexrelid "
        "where c.relnamespace = 'shop'::regnamespace and i.indisvalid"
    )
    return {row[0]: row[1] for row in rows}


def keys(shop: "Shop") -> dict[str, str]:
    """Returns the definition of each valid foreign key of images and work items by its name."""
    rows = shop.run(
        "select conname, pg_get_constraintdef(oid) from pg_constraint where contype = 'f' and convalidated "
        "and conrelid in ('shop.product_image'::regclass, 'shop_private.work'::regclass)"
    )
    return {row[0]: row[1] for row in rows}


def deferred_names(shop: "Shop") -> set[str]:
    return {row[0] for row in shop.run("select name from shop.deferred_index")}


def feed(folder: Path, rows: int) -> Path:
    path = folder / "goods.csv"
    path.write_text("sku,title,material\n" + "".join(f"{n},Bag number{n},leather{n % 7}\n" for n in range(rows)))
    return path


def test_deferred_indexes_and_foreign_keys_are_built_with_their_old_definitions(own_shop: "Shop") -> None:
    before, keys_before = definitions(own_shop), keys(own_shop)
    assert defer_product_indexes(own_shop.database)
    assert set(before) - set(definitions(own_shop)) == set(PRODUCT_INDEXES)
    assert set(keys_before) - set(keys(own_shop)) == set(PRODUCT_KEYS)
    assert deferred_names(own_shop) == {*PRODUCT_INDEXES, *PRODUCT_KEYS}
    assert set(build(own_shop.database)) == {*PRODUCT_INDEXES, *PRODUCT_KEYS}
    assert (definitions(own_shop), keys(own_shop)) == (before, keys_before)
    assert deferred_names(own_shop) == set()
    assert build(own_shop.database) == []


def test_the_load_after_a_killed_load_deletes_orphans_and_adds_the_foreign_keys(
    own_shop: "Shop", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = keys(own_shop)
    assert defer_product_indexes(own_shop.database)  # as if a load had been killed after this step
    own_shop.add("a", "b", "c")
    rows = "select product_id from shop.product_image union all select product_id from shop_private.work"
    orphans = f"select count(*) from ({rows}) r where product_id not in (select product_id from shop.product)"
    own_shop.run("delete from shop.product where sku = 'a'")
    assert own_shop.value(orphans) == 0
    own_shop.run("begin; truncate shop.product cascade; commit")
    assert own_shop.value(orphans) > 0
    # As if a build had been interrupted after it added one foreign key, and before it validated this key.
    own_shop.run(
        "do $$ begin execute (select definition || ' not valid' from shop.deferred_index "
        "where name = 'work_model_id_fkey'); end $$"
    )
    monkeypatch.chdir(tmp_path)
    load_catalog(own_shop.database, feed(tmp_path, 20))
    assert keys(own_shop) == before
    assert own_shop.value(orphans) == 0
    assert deferred_names(own_shop) == set()


def test_a_catalog_with_products_keeps_its_indexes(own_shop: "Shop") -> None:
    before = definitions(own_shop)
    own_shop.add("a")
    assert not defer_product_indexes(own_shop.database)
    assert definitions(own_shop) == before


def test_indexes_of_a_table_that_another_session_has_locked_are_not_deferred(own_shop: "Shop") -> None:
    before = definitions(own_shop)
    with own_shop.database.connect(Role.ANALYST) as reading:
        reading.exec_driver_sql("select * from shop.product")
        assert not defer_product_indexes(own_shop.database)
    assert definitions(own_shop) == before
    assert deferred_names(own_shop) == set()


def test_a_large_first_load_defers_the_indexes_and_builds_them_at_its_end(
    own_shop: "Shop", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("loader.chunks.CHUNK_ROWS", 50)
    monkeypatch.setattr("loader.ingest.WORTH_DEFERRING", 150)
    before, during = definitions(own_shop), list[set[str]]()
    upsert = chunk_writer.upsert

    def looking(*arguments: Any, **named: Any) -> Any:
        during.append(deferred_names(own_shop))
        return upsert(*arguments, **named)

    monkeypatch.setattr(chunk_writer, "upsert", looking)
    load_catalog(own_shop.database, feed(tmp_path, 200))
    assert all(names == {*PRODUCT_INDEXES, *PRODUCT_KEYS} for names in during)
    assert len(during) == 4
    assert set(PRODUCT_KEYS) <= set(keys(own_shop))
    assert definitions(own_shop) == before
    during.clear()
    load_catalog(own_shop.database, feed(tmp_path, 400))  # a load into a catalog with products defers no index
    assert all(names == set() for names in during)


def test_a_small_load_and_a_limited_load_and_a_dry_run_keep_the_indexes(
    own_shop: "Shop", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(deferred_indexes, "defer_product_indexes", lambda _: pytest.fail("an index was deferred"))
    load_catalog(own_shop.database, feed(tmp_path, 200))
    monkeypatch.setattr("loader.ingest.WORTH_DEFERRING", 150)
    load_catalog(own_shop.database, feed(tmp_path, 200), limit=100)
    load_catalog(own_shop.database, feed(tmp_path, 200), dry_run=True)


def test_a_load_that_fails_builds_the_indexes_that_it_deferred(
    own_shop: "Shop", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("loader.chunks.CHUNK_ROWS", 50)
    monkeypatch.setattr("loader.ingest.WORTH_DEFERRING", 100)
    before = definitions(own_shop)
    items = "".join(f"<item><id>{n}</id><title>Bag {n}</title></item>\n" for n in range(3000))
    path = tmp_path / "goods.xml"
    path.write_text(f"<rss><channel>{items}<item><id>1</id>")
    with pytest.raises(SourceDamaged):
        load_catalog(own_shop.database, path)
    assert own_shop.value("select count(*) from shop.product") >= 1000
    assert definitions(own_shop) == before


def test_the_next_load_builds_the_indexes_that_a_killed_load_deferred(
    own_shop: "Shop", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = definitions(own_shop)
    defer_product_indexes(own_shop.database)
    own_shop.run("create index concurrently product_keywords_idx on shop.product using gin (keywords)")
    own_shop.run("update pg_index set indisvalid = false where indexrelid = 'shop.product_keywords_idx'::regclass")
    load_catalog(own_shop.database, feed(tmp_path, 10))
    assert definitions(own_shop) == before


def test_keyword_searches_return_the_same_results_with_and_without_indexes(own_shop: "Shop") -> None:
    titles = ("Black leather backpack", "Canvas tote", "Leather wallet", "Steel lamp")
    defer_product_indexes(own_shop.database)
    own_shop.load(*(Product(str(n), title, attributes={"set": n % 2}) for n, title in enumerate(titles)))
    own_shop.encode_all()
    searches = [
        (words, within) for words in ("leather", "leathr walet", "lamp") for within in ("{}", '{"attributes.set": 0}')
    ]

    def found() -> list[list[tuple[str, float]]]:
        statement = (
            "select sku, keyword_score from shop.search(:words, filter => cast(:within as jsonb), image_weight => 0, "
            "title_weight => 0) order by rank"
        )
        return [
            [tuple(row) for row in own_shop.run(statement, words=words, within=within)] for words, within in searches
        ]

    without = found()
    assert set(PRODUCT_INDEXES) <= set(build(own_shop.database))
    assert found() == without
    scored = [{sku for sku, score in rows if score} for rows in without]
    assert scored == [{"0", "2"}, {"0", "2"}, {"0", "2"}, {"0", "2"}, {"3"}, set()]


def test_the_hnsw_index_of_an_empty_table_is_built_once_after_many_items_are_encoded(
    own_shop: "Shop", settings: "Settings", toy_template: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    shutil.copytree(toy_template[1], settings.home)
    monkeypatch.setattr(deferred_indexes, "MANY", 30)
    # Index parameters can be chosen while the tables are empty.
    rebuild_indexes(own_shop.database, settings, m=8, ef_construction=32)
    before = definitions(own_shop)
    own_shop.add(*(f"p{n:03}" for n in range(29)))
    assert defer_vectors(own_shop.database, [1]) == []
    own_shop.add(*(f"q{n:03}" for n in range(31)), image_count=0)
    assert defer_vectors(own_shop.database, [1]) == ["toy_title_hnsw"]
    assert states(own_shop.database) == {"toy_image_hnsw": (8, "valid"), "toy_title_hnsw": (8, "deferred")}
    own_shop.encode_all()
    own_shop.cache("bag")
    with own_shop.database.connect(Role.ANALYST) as conn:
        assert len(search(conn, Query("bag", k=10))) == 10
    assert build_vectors(own_shop.database, [2]) == []  # model 2 has no deferred index
    assert build_vectors(own_shop.database, [1]) == ["toy_title_hnsw"]
    assert definitions(own_shop) == before
    assert build_vectors(own_shop.database, [1]) == []


def states(database: Database) -> dict[str, tuple[int | None, str]]:
    with database.connect(Role.ANALYST) as conn:
        return {index.name: (index.m, index.state) for index in every_index(conn, {})}


def test_a_table_with_vectors_keeps_its_hnsw_index(own_shop: "Shop", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deferred_indexes, "MANY", 5)
    monkeypatch.setattr(deferred_indexes, "FEW", 5)
    own_shop.add(*(f"p{n}" for n in range(6)))
    own_shop.encode_all()
    own_shop.add(*(f"q{n}" for n in range(6)))
    assert defer_vectors(own_shop.database, [1]) == []


def test_a_deferred_index_can_be_rebuilt_with_other_parameters(
    own_shop: "Shop", settings: "Settings", toy_template: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    shutil.copytree(toy_template[1], settings.home)
    monkeypatch.setattr(deferred_indexes, "MANY", 1)
    own_shop.add("a")
    assert set(defer_vectors(own_shop.database, [1])) == HNSW
    rebuild_indexes(own_shop.database, settings, m=8, ef_construction=32)
    assert states(own_shop.database) == dict.fromkeys(HNSW, (8, "valid"))
    assert deferred_names(own_shop) == set()


def test_only_one_session_builds_indexes_at_a_time(own_shop: "Shop") -> None:
    defer_product_indexes(own_shop.database)
    with own_shop.database.connect(None) as other:
        assert hold(other, Lock.INDEX_BUILD, own_shop.database.roles.owner)
        assert build(own_shop.database) == []
    assert set(PRODUCT_INDEXES) <= set(build(own_shop.database))


def test_a_login_without_the_right_to_build_indexes_neither_defers_nor_builds_indexes(own_shop: "Shop") -> None:
    app = Database(own_shop.database.url(Role.APP), own_shop.database.url(Role.APP), own_shop.database.roles)
    assert not defer_product_indexes(app)
    assert deferred_names(own_shop) == set()
    defer_product_indexes(own_shop.database)
    with pytest.raises(DatabaseError, match="may not build indexes; deferred: product_attributes_idx"):
        build(app)
