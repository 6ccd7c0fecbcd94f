"""Warming reads into memory the indexes and tables that a search uses."""

import threading

from sqlalchemy import text

from db.engine import Database
from db.lifecycle.warming import Relation, fitting, warm
from db.roles import Role
from windowshop.output.warming import describe

CACHED = text(
    "select c.relname, count(*) from pg_buffercache b join pg_class c on pg_relation_filenode(c.oid) = b.relfilenode "
    "where c.relname in ('toy_image_hnsw', 'toy_title_hnsw', 'product') and b.relforknumber = 0 and b.reldatabase = "
    "(select oid from pg_database where datname = current_database()) group by 1"
)


def test_warming_reads_every_page_of_both_vector_indexes_and_of_the_table_of_products(large: Database) -> None:
    with large.connect(None) as admin:
        admin.exec_driver_sql("create extension pg_buffercache")
        admin.commit()
        try:
            admin.exec_driver_sql(
                "select pg_buffercache_evict_relation(oid) from pg_class where relname ~ '^(toy_|product)'"
            )
            admin.commit()
            assert admin.execute(CACHED).all() == []
            progress: list[tuple[str, float]] = []
            warmed = warm(large, on_progress=lambda name, share: progress.append((name, share)))
            pages = {
                name: admin.scalar(text("select pg_relation_size(to_regclass(:name)) / 8192"), {"name": f"shop.{name}"})
                for name in ("toy_image_hnsw", "toy_title_hnsw", "product")
            }
            assert {row.relname: row.count for row in admin.execute(CACHED)} == pages
        finally:
            admin.rollback()
            admin.exec_driver_sql("drop extension pg_buffercache")
            admin.commit()
    assert warmed.relations[:2] == ["shop.toy_image_hnsw", "shop.toy_title_hnsw"]
    assert {"shop.product", "shop.toy_image"} < set(warmed.relations)
    assert warmed.bytes > 8192 * sum(pages.values())
    assert progress[0] == ("shop.toy_image_hnsw", 0) and 0.5 < progress[-1][1] < 1
    assert f"{len(warmed.relations)} indexes and tables are in memory" in describe(warmed)[0]


def test_warming_ends_early_on_request_and_before_the_first_relation_that_does_not_fit(large: Database) -> None:
    stop = threading.Event()
    stop.set()
    assert warm(large, stop=stop).relations == []
    relations = [Relation("index", 10), Relation("product", 100), Relation("small", 1)]
    assert fitting(relations, 50) == relations[:1]
    assert fitting(relations, 111) == relations


def test_without_pg_prewarm_nothing_is_read_and_the_message_names_the_extension(database: Database) -> None:
    with database.connect(None) as admin:
        admin.exec_driver_sql("drop extension pg_prewarm")
        admin.commit()
    warmed = warm(database)
    assert not warmed.available
    assert "CREATE EXTENSION pg_prewarm" in describe(warmed)[0]


def test_only_relations_of_schema_shop_are_read(large: Database) -> None:
    with large.connect(Role.ANALYST) as conn:
        read = text("select shop_private.warm_pages(cast(:name as regclass), 'read', 0, 0)")
        assert conn.scalar(read, {"name": "shop.product_pkey"})
        assert not conn.scalar(read, {"name": "pg_catalog.pg_class"})
