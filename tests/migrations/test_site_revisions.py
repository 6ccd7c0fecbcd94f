"""The database keeps a copy of the site's revisions. So the database can be migrated with any home folder, even after
it was restored from a dump."""

import subprocess
from pathlib import Path

import pytest
from alembic import command
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext

from db import schema
from db.embedded import server as embedded
from db.engine import Database
from db.errors import DatabaseError, EncoderUnavailable
from db.lifecycle import gateway
from db.settings import Settings
from migrations.logins import make_roles
from migrations.model_revisions import _write, add_model
from migrations.site_revisions import only_operations
from migrations.upgrade import downgrade, drift, migrating, scripts, site_revisions, upgrade
from tests.migrations.conftest import Tenants
from tests.support.databases import Databases, admin
from tests.support.schema_objects import catalog
from tests.support.shop import TOY, WIDE

KEPT = "select revision from shop_private.site_revision order by 1"


def kept(database: Database) -> list[str]:
    return [revision for (revision,) in admin(database, KEPT)]


@pytest.mark.deploy
def test_an_upgrade_with_an_empty_home_changes_nothing_and_restores_the_files(
    with_toy: Database, settings: Settings, tmp_path: Path
) -> None:
    before, other = catalog(with_toy), Settings(home=tmp_path / "other home")
    upgrade(with_toy, other)
    assert catalog(with_toy) == before
    written, original = site_revisions(other.home), site_revisions(settings.home)
    assert sorted(path.name for path in written.glob("*.py")) == ["model_toy.py", "model_toy_index.py"]
    for path in written.glob("*.py"):
        assert path.read_text() == (original / path.name).read_text()

    add_model(with_toy, other, WIDE)
    upgrade(with_toy, settings)  # writes the revisions of model wide to the first home folder
    drift(with_toy, settings)
    assert kept(with_toy) == ["model_toy", "model_toy_index", "model_wide", "model_wide_index"]
    assert {path.stem for path in original.glob("*.py")} == set(kept(with_toy))


def test_a_reverted_revision_is_not_kept(with_toy: Database, settings: Settings, tmp_path: Path) -> None:
    add_model(with_toy, settings, WIDE)
    downgrade(with_toy, Settings(home=tmp_path / "other home"), "model_toy_index")
    assert kept(with_toy) == ["model_toy", "model_toy_index"]


def test_a_site_older_than_the_table_site_revision_keeps_its_revisions_in_an_upgrade(
    with_toy: Database, settings: Settings, tmp_path: Path
) -> None:
    with migrating(with_toy, settings) as (config, conn, _):
        context = MigrationContext.configure(
            conn, opts={"roles": config.attributes["roles"], "schemas": config.attributes["schemas"]}
        )
        with Operations.context(context), context.begin_transaction():
            for revision in scripts(settings.home).iterate_revisions(schema.HEAD, "0020"):
                revision.module.downgrade()
        conn.commit()
    model = site_revisions(settings.home) / "model_toy.py"
    model.write_text(model.read_text().replace(f'depends_on = "{schema.HEAD}"', 'depends_on = "0020"'))
    with pytest.raises(DatabaseError, match="Can't locate revision"):
        upgrade(with_toy, Settings(home=tmp_path / "other home"))
    upgrade(with_toy, settings)
    upgrade(with_toy, Settings(home=tmp_path / "other home"))
    assert kept(with_toy) == ["model_toy", "model_toy_index"]


def test_a_revision_of_an_interrupted_upgrade_is_kept(database: Database, settings: Settings, tmp_path: Path) -> None:
    with migrating(database, settings):
        _write(settings.home, TOY)
    with migrating(database, settings) as (config, _, _):
        command.upgrade(config, "model_toy")
    assert kept(database) == ["model_toy"]
    other = Settings(home=tmp_path / "other home")
    upgrade(database, other)
    assert [path.name for path in site_revisions(other.home).glob("*.py")] == ["model_toy.py"]


@pytest.mark.parametrize(
    "script",
    [
        "import os\n",
        "from os import system\n",
        "import sqlalchemy as op\n",
        "revision = __import__('os').name\n",
        "def upgrade(x=print()) -> None:\n    pass\n",
        "@print\ndef upgrade() -> None:\n    pass\n",
        "def upgrade() -> None:\n    import os\n",
        "def upgrade() -> None:\n    print(1)\n",
        "def upgrade() -> None:\n    op.execute(open('/etc/passwd').read())\n",
        "def upgrade() -> None:\n    op.get_bind().engine.dispose()\n",
        "def upgrade() -> None:\n    op.execute(sa.text(str(1)).bindparams(a=open('x')))\n",
        "class upgrade:\n    pass\n",
        "upgrade(\n",
    ],
)
def test_a_stored_revision_with_other_code_is_refused_and_not_written(
    script: str, with_toy: Database, tmp_path: Path
) -> None:
    assert not only_operations(script)
    with with_toy.connect(None) as conn, conn.begin():
        conn.exec_driver_sql(
            "update shop_private.site_revision set script = %s where revision = 'model_toy'", (script,)
        )
    with pytest.raises(DatabaseError, match="revision 'model_toy' in the database has code besides operations"):
        upgrade(with_toy, Settings(home=tmp_path / "other home"))
    assert not site_revisions(tmp_path / "other home").exists()


def test_the_name_of_a_stored_revision_cannot_lead_out_of_the_folder(with_toy: Database, tmp_path: Path) -> None:
    admin(with_toy, "update shop_private.site_revision set revision = '../evil' where revision = 'model_toy'")
    with pytest.raises(DatabaseError, match="evil"):
        upgrade(with_toy, Settings(home=tmp_path / "other home"))
    assert not list(tmp_path.rglob("evil*"))


def test_a_folder_that_cannot_be_written_is_an_error(with_toy: Database, tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    with pytest.raises(DatabaseError, match="cannot be written to"):
        upgrade(with_toy, Settings(home=tmp_path / "a file"))


@pytest.mark.deploy
def test_a_dump_can_be_restored_under_another_name_with_an_empty_home(
    with_toy: Database, databases: Databases, server_home: Path, tmp_path: Path
) -> None:
    admin(
        with_toy,
        "insert into shop.product (product_id, sku, title) values (shop.product_id('a'), 'a', 'Red shoes')",
    )
    # `catalog` lists columns with their numbers. The numbers differ, because a restored table has no dropped columns.
    # Instead, `drift` compares the columns.
    before = {**catalog(with_toy), "columns": []}
    copy = databases.open(databases.create("template0"))
    dump, environment = embedded.binary(server_home, "pg_dump")
    dumped = subprocess.run(
        [dump, "--no-password", databases.admin_url(str(with_toy.write.database))],
        env=environment, capture_output=True, check=True,
    )  # fmt: skip
    psql, environment = embedded.binary(server_home, "psql")
    restored = subprocess.run(
        [psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", databases.admin_url(str(copy.write.database))],
        input=dumped.stdout, env=environment, capture_output=True, check=False,
    )  # fmt: skip
    assert restored.returncode == 0, restored.stderr.decode()
    with copy.connect(None) as conn:
        with pytest.raises(DatabaseError, match="this database is a copy, and its gateway leads to the original"):
            gateway.check(conn)
        with pytest.raises(EncoderUnavailable, match="this database is a copy"):
            conn.exec_driver_sql("select shop.clip_text('asked in the copy')")
        conn.rollback()
    assert admin(with_toy, "select count(*) from shop_private.request") == [(0,)]
    home = Settings(home=tmp_path / "empty home")
    upgrade(copy, home)
    with copy.connect(None) as conn:
        gateway.check(conn)
    drift(copy, home)
    assert {**catalog(copy), "columns": []} == before
    assert admin(copy, "select sku from shop.product") == [("a",)]
    settings = "select unnest(setconfig) from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase"
    assert len(admin(copy, f"{settings} where datname = current_database() and setrole = 0")) == 2
    assert admin(copy, "select srvoptions::text ~ current_database() from pg_foreign_server") == [(True,)]


def test_roles_are_created_for_an_empty_database_and_only_once(tenants: Tenants) -> None:
    empty = tenants.database("tenant_roles_")
    assert make_roles(empty) == empty.roles.all
    assert make_roles(empty) == []
    assert admin(empty, "select to_regnamespace('shop') is null") == [(True,)]
    rights = (
        "select count(*) from pg_roles where rolcanlogin and starts_with(rolname, 'tenant_roles_') and not rolsuper"
    )
    assert admin(empty, rights) == [(7,)]
