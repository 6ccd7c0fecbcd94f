"""An upgrade from revision 0008 computes the keywords of every product again, in small transactions. Searches and loads
continue meanwhile."""

import threading
import time

import pytest
from sqlalchemy import text

from db.engine import Database
from db.errors import DatabaseError
from db.settings import Settings
from migrations.operations import keywords
from migrations.upgrade import downgrade, drift, upgrade
from tests.support.databases import admin
from tests.support.shop import Shop

ROWS = 1_200
STALE = (
    "select count(*) from shop.product p where keywords is distinct from shop_private.keywords(language, sku, title, "
    "brand, product_type, color, material, gtin, mpn, description, attributes)"
)
FOLDED = "select count(*) from shop.product where keywords @@ 'cafe'::tsquery"
UNFOLDED = "select count(*) from shop.product where keywords @@ 'café'::tsquery"


@pytest.fixture
def old(database: Database, settings: Settings) -> Database:
    """Returns a database with products at revision 0008. The next revision changes how keywords are computed."""
    downgrade(database, settings, "0008")
    shop = Shop(database)
    shop.run(
        "insert into shop.product (product_id, sku, title) "
        f"select shop.product_id('C-' || n, 'main'), 'C-' || n, 'Café ' || n from generate_series(1, {ROWS}) n"
    )
    shop.close()
    assert admin(database, FOLDED) == [(0,)]
    return database


def test_an_upgrade_computes_the_keywords_of_every_row_and_reports_progress(
    old: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keywords, "REPORT_SECONDS", 0)
    file_node = "select pg_relation_filenode('shop.product'), pg_relation_filenode('shop.product_keywords_idx')"
    [before] = admin(old, file_node)
    said: list[str] = []
    upgrade(old, settings, said.append)
    [after] = admin(old, file_node)
    assert admin(old, FOLDED) == admin(old, UNFOLDED) == [(ROWS,)]
    assert admin(old, STALE) == [(0,)]
    assert before[0] == after[0]  # the table was not rewritten
    assert before[1] != after[1]  # the index was built again
    assert [line for line in said if "filling keywords" in line][-1].startswith(
        "filling keywords: 1,200 of about 1,200"
    )
    assert admin(old, "select bool_and(indisvalid) from pg_index where indrelid = 'shop.product'::regclass") == [
        (True,)
    ]
    drift(old, settings)


def test_the_composite_types_do_not_change_until_every_row_has_its_new_keywords(
    old: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the upgrade ends, sessions call functions of the previous version, which need the old composite types."""
    monkeypatch.setattr(keywords, "REPORT_SECONDS", 0)
    types = (
        "select c.relname, array_agg(a.attname::text order by a.attnum) from pg_class c "
        "join pg_attribute a on a.attrelid = c.oid where c.relkind = 'c' and not a.attisdropped "
        "and c.relnamespace = 'shop_private'::regnamespace group by 1 order by 1"
    )
    before, during = admin(old, types), []
    upgrade(old, settings, lambda line: during.append(admin(old, types)) if "filling" in line else None)
    assert len(during) > 1
    assert all(each == before for each in during)
    assert admin(old, types) != before


def test_a_downgrade_restores_the_keywords_of_the_previous_revision(old: Database, settings: Settings) -> None:
    upgrade(old, settings)
    downgrade(old, settings, "0008")
    assert admin(old, FOLDED) == [(0,)]
    assert admin(old, UNFOLDED) == [(ROWS,)]
    assert admin(old, STALE) == [(0,)]


def test_an_interrupted_upgrade_resumes_at_the_first_row_with_old_keywords(
    old: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows with new keywords keep the old words, because searches use the old words until the upgrade ends."""
    monkeypatch.setattr(keywords, "ROWS", 100)
    monkeypatch.setattr(keywords, "REPORT_SECONDS", 0)

    def stop_at_500(line: str) -> None:
        if line.startswith("filling keywords: 500"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upgrade(old, settings, stop_at_500)
    assert admin(old, FOLDED) == [(500,)]
    assert admin(old, UNFOLDED) == [(ROWS,)]
    assert admin(old, "select version_num from shop_private.alembic_version") == [("0008",)]
    written: list[int] = []
    write_rows = keywords._write_rows
    monkeypatch.setattr(
        keywords, "_write_rows", lambda operations: written.append(write_rows(operations)) or written[0]
    )
    upgrade(old, settings)
    assert written == [ROWS - 500]
    assert admin(old, FOLDED) == [(ROWS,)]


def test_searches_and_loads_continue_during_the_upgrade(old: Database, settings: Settings) -> None:
    waits, done = [], threading.Event()

    def use() -> None:
        with old.connect(None) as conn:
            while not done.is_set():
                began = time.monotonic()
                with conn.begin():
                    conn.execute(text(UNFOLDED))
                    conn.execute(text("update shop.product set title = title || '.' where sku = 'C-7'"))
                waits.append(time.monotonic() - began)
                time.sleep(0.01)

    user = threading.Thread(target=use)
    user.start()
    try:
        upgrade(old, settings)
    finally:
        done.set()
        user.join()
    assert len(waits) > 5
    assert max(waits) < 15  # seconds, with time to spare for a busy machine
    assert admin(old, STALE) == [(0,)]


def test_an_upgrade_that_waits_too_long_for_a_writer_fails_before_it_changes_a_row(
    old: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keywords, "LOCK_SECONDS", 1)
    with old.connect(None) as writer, writer.begin():
        writer.execute(text("update shop.product set title = 'x' where sku = 'C-1'"))
        with pytest.raises(DatabaseError, match="lock"):
            upgrade(old, settings)
    assert admin(old, FOLDED) == [(0,)]
    upgrade(old, settings)
    assert admin(old, FOLDED) == [(ROWS - 1,)]
