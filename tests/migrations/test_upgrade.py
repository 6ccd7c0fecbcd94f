"""The schema is created, upgraded, downgraded and upgraded again, also after an error and by concurrent processes."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from db import functions, schema
from db.engine import Database
from db.errors import DatabaseError, SchemaMismatch
from db.lifecycle.deferred_indexes import defer_product_indexes
from db.lifecycle.serving import every_model, serve_model
from db.roles import Role
from db.settings import Settings
from migrations.model_revisions import add_model
from migrations.upgrade import PROJECT_REVISIONS, downgrade, drift, scripts, upgrade
from tests.support.databases import admin
from tests.support.schema_objects import catalog, leftovers
from tests.support.shop import WIDE

# --- upgrades and downgrades


def test_schema_head_is_the_newest_revision(settings: Settings) -> None:
    assert scripts(settings.home).get_heads() == [schema.HEAD]


def test_an_upgrade_creates_the_schema_in_an_empty_database_and_can_be_repeated(
    empty: Database, settings: Settings
) -> None:
    upgrade(empty, settings)
    drift(empty, settings)
    with empty.connect(Role.ANALYST) as conn:
        schema.check(conn)
    before = catalog(empty)
    upgrade(empty, settings)
    assert catalog(empty) == before


def test_an_upgrade_of_a_current_site_with_a_model_changes_nothing(with_toy: Database, settings: Settings) -> None:
    before = catalog(with_toy)
    upgrade(with_toy, settings)
    drift(with_toy, settings)
    assert catalog(with_toy) == before
    assert "toy_image" in str(before["views"])


def test_an_upgrade_replaces_old_functions_and_creates_missing_functions(
    with_toy: Database, settings: Settings
) -> None:
    before = catalog(with_toy)
    admin(
        with_toy,
        "create or replace function shop.schema_revision() returns text language sql as $$ select '0000' $$; "
        "drop function shop_private.work_retry",
    )
    upgrade(with_toy, settings)
    assert catalog(with_toy) == before


def test_a_new_project_revision_is_applied_to_a_site_that_has_revisions_of_models(
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
    assert {"shop.next", "shop_private.work_retry(smallint,text,text,text)"} <= set(leftovers(with_toy))
    add_model(with_toy, settings, WIDE)
    assert set(admin(with_toy, "select version_num from shop_private.alembic_version")) == {
        ("next",),
        ("model_wide_index",),
    }
    downgrade(with_toy, settings, schema.HEAD)
    assert "shop.next" not in leftovers(with_toy)
    with with_toy.connect(Role.ANALYST) as conn:
        assert len(every_model(conn)) == 2


def test_a_downgrade_to_base_and_an_upgrade_give_the_schema_of_a_fresh_install(
    database: Database, with_toy: Database, settings: Settings, empty: Database
) -> None:
    with_model = catalog(with_toy)
    downgrade(with_toy, settings, "site@base")
    assert "toy" not in str(leftovers(with_toy))
    assert admin(with_toy, "select count(*) from shop.searchable") == [(0,)]
    downgrade(with_toy, settings, "base")
    assert leftovers(with_toy) == []
    upgrade(with_toy, settings)  # runs the revisions that are still in the home folder
    serve_model(with_toy, "toy")
    assert catalog(with_toy) == with_model

    # One downgrade removes both branches: the revisions of the project and the revisions of the site.
    downgrade(with_toy, settings, "base")
    assert leftovers(with_toy) == []
    without = Settings(home=settings.home / "elsewhere")
    upgrade(with_toy, without)
    upgrade(empty, without)
    assert catalog(with_toy) == catalog(empty)


def test_the_check_for_drift_names_a_column_that_the_code_does_not_have(database: Database, settings: Settings) -> None:
    admin(database, "alter table shop.product add column mood text")
    with pytest.raises(SchemaMismatch, match="mood"):
        drift(database, settings)


def test_two_simultaneous_upgrades_both_succeed(empty: Database, settings: Settings) -> None:
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


def test_an_error_in_a_function_file_rolls_back_the_whole_upgrade(
    empty: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = functions.statements

    def broken(names: Any) -> Iterator[tuple[str, str]]:
        for name, sql in whole(names):
            yield name, "create function shop.broken() returns nonsense" if name == "site/housekeep" else sql

    with monkeypatch.context() as patched:
        patched.setattr(functions, "statements", broken)
        with pytest.raises(DatabaseError, match="no language"):
            upgrade(empty, settings)
    assert leftovers(empty) == []
    assert admin(empty, "select to_regclass('shop_private.alembic_version')") == [(None,)]
    upgrade(empty, settings)
    drift(empty, settings)


# --- schemas of another version


@pytest.mark.parametrize(
    ("revision", "message", "hint"),
    [
        ("0000", "at revision 0000, this code needs", "windowshop db upgrade"),
        (None, "has no Windowshop schema", "windowshop db upgrade"),
    ],
)
def test_a_missing_or_older_schema_is_refused_with_a_hint(
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


def test_an_upgrade_refuses_a_database_with_an_unknown_revision_and_changes_nothing(
    with_toy: Database, tmp_path: Path
) -> None:
    admin(with_toy, "delete from shop_private.site_revision")  # as in a database of an earlier version
    before = catalog(with_toy)
    with pytest.raises(SchemaMismatch, match="model_toy_index") as raised:
        upgrade(with_toy, Settings(home=tmp_path / "another"))
    assert "WINDOWSHOP_HOME" in (raised.value.hint or "")
    assert catalog(with_toy) == before


def test_a_downgrade_builds_the_deferred_indexes(database: Database, settings: Settings) -> None:
    names = "select indexrelid::regclass::text from pg_index where indisvalid and indrelid = 'shop.product'::regclass"
    before = set(admin(database, names))
    assert defer_product_indexes(database)
    assert set(admin(database, names)) < before
    downgrade(database, settings, "0005")
    later = ("brand_key", "identifier", "sale_price", "currency", "item_group_id", "title_start")
    of_later_revisions = {(f"shop.product_{name}_idx",) for name in later}
    assert set(admin(database, names)) == before - of_later_revisions
    upgrade(database, settings)
    drift(database, settings)


def test_an_upgrade_corrects_rows_that_break_a_new_constraint_and_reports_their_number(
    database: Database, settings: Settings
) -> None:
    downgrade(database, settings, "0017")
    deep = "(repeat('{\"a\":', 25) || '1' || repeat('}', 25))::jsonb"
    admin(
        database,
        "insert into shop.model (name, source, revision, dimension) values ('m', 'm', 'm', 8); "
        "insert into shop.product (product_id, sku, title, link, image_link, attributes) values "
        "(shop.product_id('a'), 'a', 'A', ' JavaScript:alert(1)', 'data:,x', '{\"color\": \"red\"}'), "
        "(shop.product_id('b'), 'b', 'B', 'https://shop.example/b', '/b.jpg', "
        f"jsonb_build_object('kept', 1, 'deep', {deep})); "
        "insert into shop.tuning (model_id, name, value) values (1, 'rrf_k', 'NaN'), (1, 'image_weight', 'Infinity'), "
        "(1, 'title_weight', 0.5)",
    )
    said: list[str] = []
    upgrade(database, settings, said.append)
    assert admin(database, "select sku, link, image_link, attributes from shop.product order by sku") == [
        ("a", None, None, {"color": "red"}),
        ("b", "https://shop.example/b", "/b.jpg", {"kept": 1}),
    ]
    assert admin(database, "select name, value from shop.tuning") == [("title_weight", 0.5)]
    assert [message for message in said if "break a constraint" in message] == [
        "correcting links of products that break a constraint: 1",
        "correcting image links of products that break a constraint: 1",
        "correcting products with deep attributes that break a constraint: 1",
        "correcting numbers of shop.tuning that break a constraint: 2",
    ]
    drift(database, settings)


def test_an_upgrade_replaces_the_price_index_of_a_table_with_products(database: Database, settings: Settings) -> None:
    admin(
        database,
        "insert into shop.product (product_id, sku, title, price) values (shop.product_id('a'), 'a', 'A', 5)",
    )
    columns = "select pg_get_indexdef(indexrelid) like '%%(price, product_id)' from pg_index where indexrelid = "
    downgrade(database, settings, "0013")
    assert admin(database, f"{columns} 'shop.product_price_idx'::regclass") == [(False,)]
    upgrade(database, settings)
    assert admin(database, f"{columns} 'shop.product_price_idx'::regclass and indisvalid") == [(True,)]
    drift(database, settings)
