"""The public interface only grows. An upgrade keeps a site's objects that use the interface, or it changes nothing.

A new option of a function is a last argument with a default, and a new result column is the last column. For a new
argument, an upgrade must drop the function and create it again. If a site's view or function uses the dropped function,
the upgrade raises an error before it changes anything.
"""

import re
import shutil
from dataclasses import fields
from pathlib import Path

import pytest

from db import schema
from db.engine import Database
from db.errors import DatabaseError, DependentObjects
from db.roles import Role
from db.search.ranking import SearchParams
from db.settings import Settings
from migrations.upgrade import PROJECT_REVISIONS, upgrade
from tests.migrations.conftest import EditFiles
from tests.support.databases import admin
from tests.support.schema_objects import catalog
from tests.support.shop import Shop

GOLDEN = Path(__file__).parent / "public_interface.golden.txt"
NEXT_REVISION = f"""
from alembic import op

revision = "next"
down_revision = "{schema.HEAD}"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("create table shop.next ()")
    with op.get_context().autocommit_block():
        op.execute("create table shop.committed ()")


def downgrade():
    pass
"""
ON_SEARCH = """
create schema site;
create view site.best as select sku, score from shop.search('chair');
create view site.best_of_best as select sku from site.best where score > 0;
create materialized view site.kept as select sku from shop.search('chair');
create index on site.kept (sku);
create function site.first() returns text language sql stable
    begin atomic select sku from shop.search('chair', k => 1); end;
create function site.late() returns text language sql stable as $$ select sku from shop.search('chair', k => 1) $$;
create table site.note (sku text);
alter table site.note enable row level security;
create policy found on site.note using (sku in (select sku from shop.search('chair')));
"""
DROP_ALL = (
    "drop view site.best cascade; drop materialized view site.kept; drop function site.first; "
    "drop policy found on site.note"
)


@pytest.fixture
def shop_with_chair(with_toy: Database) -> Database:
    shop = Shop(with_toy)
    shop.add("chair-1")
    shop.encode_all()
    shop.cache("chair")
    shop.close()
    return with_toy


@pytest.fixture
def next_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Adds a revision that is not yet applied. The revision creates two tables and commits before it ends."""
    versions = tmp_path / "versions"
    shutil.copytree(PROJECT_REVISIONS, versions)
    (versions / "9999_next.py").write_text(NEXT_REVISION)
    monkeypatch.setattr("migrations.upgrade.PROJECT_REVISIONS", versions)


def with_an_argument(name: str, sql: str) -> str:
    return edited(sql, r"\n\)\nreturns", ", boost real default 1\n)\nreturns") if name == "search/search" else sql


def with_a_column(name: str, sql: str) -> str:
    if name == "search/search_result":
        return edited(sql, r"\n\);", ", boosted real\n);")
    if name == "search/search":
        row = '{"sku": "chair-1", "score": 1, "boosted": 2}'
        body = f"begin return query select (jsonb_populate_record(null::shop.search_result, '{row}')).*; end"
        return edited(sql, r"\$\$\n.*?\$\$;", f"$$ {body} $$;")
    return sql


def with_another_body(name: str, sql: str) -> str:
    return edited(sql, r"\nbegin\n", "\nbegin\n    -- edited\n") if name == "search/search" else sql


def edited(sql: str, pattern: str, new: str) -> str:
    done, count = re.subn(pattern, lambda _: new, sql, count=1, flags=re.DOTALL)
    assert count == 1
    return done


def public_interface(database: Database) -> dict[str, list[str]]:
    """Returns the arguments and the result of every public function and the columns of every public type and view. The
    arguments and columns are in the order of their definition."""
    rows = admin(
        database,
        "select p.proname || ' argument', a.place, concat_ws(' ', p.proargnames[a.place], "
        "format_type(a.type, null), case when a.place > p.pronargs - p.pronargdefaults then 'default' end) "
        "from pg_proc p, unnest(p.proargtypes) with ordinality a(type, place) "
        "where p.pronamespace = 'shop'::regnamespace "
        "union all select proname || ' returns', 1, pg_get_function_result(oid) "
        "from pg_proc where pronamespace = 'shop'::regnamespace "
        "union all select c.relname || ' column', a.attnum, concat_ws(' ', a.attname, "
        "format_type(a.atttypid, a.atttypmod)) from pg_class c join pg_attribute a on a.attrelid = c.oid "
        "and a.attnum > 0 and not a.attisdropped "
        "where c.relnamespace = 'shop'::regnamespace and c.relkind in ('c', 'v') order by 1, 2",
    )
    interface: dict[str, list[str]] = {}
    for name, _, line in rows:
        interface.setdefault(name, []).append(line)
    return interface


def test_new_arguments_and_columns_of_the_public_interface_come_last(database: Database) -> None:
    """The golden file lists the public interface. New lines may be added, but existing lines must not change."""
    present = public_interface(database)
    promised: dict[str, list[str]] = {}
    for line in GOLDEN.read_text().splitlines():
        name, value = line.split(": ", 1)
        promised.setdefault(name, []).append(value)
    for name, values in promised.items():
        assert present.get(name, [])[: len(values)] == values, name
        if name.endswith(" argument"):
            assert all(new.endswith(" default") for new in present[name][len(values) :]), name
    assert present == promised, "add the new lines to public_interface.golden.txt"


def test_an_upgrade_that_changes_no_signature_keeps_objects_that_depend_on_search(
    shop_with_chair: Database, settings: Settings, edit_files: EditFiles
) -> None:
    admin(shop_with_chair, ON_SEARCH)
    edit_files(with_another_body)
    upgrade(shop_with_chair, settings)
    assert admin(shop_with_chair, "select prosrc ~ '-- edited' from pg_proc where proname = 'search'") == [(True,)]
    assert admin(shop_with_chair, "select sku from site.best_of_best") == [("chair-1",)]
    assert admin(shop_with_chair, "select site.first(), site.late()") == [("chair-1", "chair-1")]


def test_an_upgrade_with_a_new_result_column_keeps_objects_that_depend_on_search(
    shop_with_chair: Database, settings: Settings, edit_files: EditFiles
) -> None:
    admin(shop_with_chair, ON_SEARCH)
    edit_files(with_a_column)
    upgrade(shop_with_chair, settings)
    assert admin(shop_with_chair, "select boosted from shop.search('chair')") == [(2.0,)]
    assert admin(shop_with_chair, "select sku from site.best_of_best") == [("chair-1",)]
    assert admin(shop_with_chair, "select site.first(), site.late()") == [("chair-1", "chair-1")]
    upgrade(shop_with_chair, settings)


@pytest.mark.usefixtures("next_revision")
def test_an_upgrade_with_a_new_argument_stops_before_any_change_and_names_dependents(
    shop_with_chair: Database, settings: Settings, edit_files: EditFiles
) -> None:
    admin(shop_with_chair, ON_SEARCH)
    before = catalog(shop_with_chair)
    edit_files(lambda name, sql: with_a_column(name, with_an_argument(name, sql)))
    with pytest.raises(DependentObjects) as raised:
        upgrade(shop_with_chair, settings)
    assert raised.value.message == (
        "this upgrade changes shop.search, shop.search_result, on which objects of this site depend: "
        "function site.first(), materialized view site.kept, policy found on site.note, view site.best, "
        "view site.best_of_best"
    )
    assert "Nothing was changed" in (raised.value.hint or "")
    assert "drop the objects" in (raised.value.hint or "")
    assert catalog(shop_with_chair) == before
    assert admin(shop_with_chair, "select to_regclass('shop.next'), to_regclass('shop.committed')") == [(None, None)]
    assert admin(shop_with_chair, "select sku from site.best") == [("chair-1",)]

    admin(shop_with_chair, DROP_ALL)
    admin(shop_with_chair, "create role partner; grant execute on function shop.search to partner")
    try:
        upgrade(shop_with_chair, settings)
        mine = "has_function_privilege('partner', p.oid, 'execute')"
        assert admin(shop_with_chair, f"select {mine}, pronargs from pg_proc p where proname = 'search'") == [
            (True, len(fields(SearchParams)) + 1)
        ]
    finally:
        admin(shop_with_chair, "drop owned by partner; drop role partner")
    assert admin(shop_with_chair, "select sku, boosted from shop.search('chair', boost => 2)") == [("chair-1", 2.0)]
    assert admin(shop_with_chair, "select site.late()") == [("chair-1",)]
    with shop_with_chair.connect(Role.ANALYST) as conn:
        assert conn.exec_driver_sql("select sku from shop.search('chair')").scalar() == "chair-1"
    admin(shop_with_chair, "create view site.best as select sku, score from shop.search('chair')")


def test_an_upgrade_with_a_new_result_column_stops_if_the_site_stores_the_result_type(
    shop_with_chair: Database, settings: Settings, edit_files: EditFiles
) -> None:
    admin(
        shop_with_chair,
        "create schema site; create table site.answer (found shop.search_result[]); "
        "create domain site.hit as shop.search_result; create table site.hits (hit site.hit); "
        "create function site.pass_on() returns setof shop.search_result language sql stable "
        "begin atomic select * from shop.search('chair'); end; "
        "create function site.late() returns setof shop.search_result language sql stable as "
        "$$ select * from shop.search('chair') $$",
    )
    before = catalog(shop_with_chair)
    edit_files(with_a_column)
    with pytest.raises(DependentObjects) as raised:
        upgrade(shop_with_chair, settings)
    assert raised.value.message.endswith(
        "depend: function site.pass_on(), table column site.answer.found, table column site.hits.hit"
    )
    assert catalog(shop_with_chair) == before
    admin(shop_with_chair, "drop table site.answer, site.hits; drop function site.pass_on")
    upgrade(shop_with_chair, settings)
    assert admin(shop_with_chair, "select sku, boosted from site.late()") == [("chair-1", 2.0)]


def test_an_upgrade_that_changes_the_type_of_a_result_column_is_refused(
    database: Database, settings: Settings, edit_files: EditFiles
) -> None:
    edit_files(
        lambda name, sql: sql.replace("cursor text,\n", "cursor bytea,\n") if name == "search/search_result" else sql
    )
    with pytest.raises(DatabaseError, match="shop.search_result has other columns than its file"):
        upgrade(database, settings)


def test_an_upgrade_that_changes_private_functions_names_the_sites_dependent_objects(
    database: Database, settings: Settings, edit_files: EditFiles
) -> None:
    old = "shop_private.work_outstanding(p_models smallint[])"
    edit_files(lambda _, sql: sql.replace(old, "shop_private.work_outstanding(p_models smallint[], p_more text)"))
    admin(
        database,
        "set role shop_owner; create function shop_private.renamed() returns integer return 1; reset role; "
        "create schema site; create view site.part as select * from shop_private.work_outstanding('{1}'); "
        "create table site.number (n integer default shop_private.renamed())",
    )
    with pytest.raises(DependentObjects) as raised:
        upgrade(database, settings)
    assert raised.value.message == (
        "this upgrade changes shop_private.work_outstanding, shop_private.renamed, on which objects of this site "
        "depend: default value for site.number.n, view site.part"
    )
    admin(database, "drop view site.part; drop table site.number")
    upgrade(database, settings)
    assert admin(database, "select pronargs from pg_proc where proname = 'work_outstanding'") == [(2,)]
    assert admin(database, "select to_regproc('shop_private.renamed')") == [(None,)]
