"""A migration, or the addition of a model, does not deadlock with a load or an encoder that runs at the same time. An
upgrade recreates only the triggers that have changed."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, text

from db.engine import Database
from db.errors import DatabaseError
from db.settings import Settings
from migrations.function_files import read_files
from migrations.model_revisions import add_model
from migrations.triggers import TRIGGER, unchanged_triggers
from migrations.upgrade import migrating, upgrade
from tests.migrations.conftest import EditFiles
from tests.support.databases import admin
from tests.support.processes import wait_until
from tests.support.shop import TOY

# An upgrade recreates a trigger if the mode of the trigger differs from the mode in its file. In the mode `always`, the
# triggers still fire.
CHANGED = (
    "alter table shop_private.work enable always trigger work_quarantined; "
    "alter table shop.product_image enable always trigger product_image_inserted; "
    "alter table shop.product enable always trigger product_inserted"
)
PRODUCT = "insert into shop.product (product_id, sku, title) values (shop.product_id('s'), 's', 't')"
IMAGE = (
    "insert into shop.product_image (product_id, position, uri) "
    "select product_id, 0, 'https://cdn.example/x.jpg' from shop.product"
)
WAITING = (
    "select count(*) from pg_locks where not granted and locktype = 'relation' "
    "and database = (select oid from pg_database where datname = current_database())"
)


class Running:
    """A migration in a thread of its own."""

    def __init__(self, database: Database, migrate: Callable[[], object]) -> None:
        self._database = database
        self._errors: list[DatabaseError] = []
        self._thread = threading.Thread(target=self._run, args=[migrate])
        self._thread.start()

    def _run(self, migrate: Callable[[], object]) -> None:
        try:
            migrate()
        except DatabaseError as error:
            self._errors.append(error)

    def wait_for_lock(self) -> bool:
        """Wait until the migration waits for a lock, or has ended. Returns whether it waits."""

        def waits() -> bool:
            return admin(self._database, WAITING) != [(0,)]

        wait_until(lambda: waits() or not self._thread.is_alive(), 120, "a migration that waits for a lock")
        return self._thread.is_alive()

    def end(self) -> list[DatabaseError]:
        self._thread.join(120)
        assert not self._thread.is_alive()
        return self._errors


def test_an_upgrade_without_changed_triggers_recreates_none_and_waits_for_no_load(
    database: Database, settings: Settings
) -> None:
    with migrating(database, settings) as (_, conn, extensions):
        files = read_files(conn, database.roles.by_word(), extensions.by_word())
        triggers = {found[0] for _, sql in files for found in TRIGGER.finditer(sql)}
        assert len(triggers) == sum(sql.count("create or replace trigger") for _, sql in files) > 5
        assert unchanged_triggers(conn, files) == triggers
        another = [(name, sql.replace("update of title", "update of title, brand")) for name, sql in files]
        assert len(unchanged_triggers(conn, another)) == len(triggers) - 1
        conn.rollback()
    with database.connect(None) as load:
        begin_load(load)
        running = Running(database, lambda: upgrade(database, settings))
        assert not running.wait_for_lock()
        assert running.end() == []
        load.commit()


def test_an_upgrade_creates_a_new_trigger_of_another_table(
    database: Database, settings: Settings, edit_files: EditFiles
) -> None:
    new = "create or replace trigger another after update on shop.model for each row execute function "
    function = "shop_private.work_quarantined()"
    edit_files(lambda _, sql: f"{sql}\n{new}{function};\n" if f"replace function {function}" in sql else sql)
    upgrade(database, settings)
    assert admin(database, "select tgrelid::regclass::text from pg_trigger where tgname = 'another'") == [
        ("shop.model",)
    ]


def begin_load(load: Connection) -> None:
    """Take the locks that a load takes on shop.product, by an update of a column that is not encoded."""
    load.execute(text("update shop.product set brand = 'b'"))


def add_a_model(database: Database, settings: Settings) -> None:
    add_model(database, settings, TOY)


@pytest.mark.parametrize("migrate", [upgrade, add_a_model])
def test_a_load_continues_while_a_migration_waits_for_it(
    database: Database, settings: Settings, migrate: Callable[[Database, Settings], None]
) -> None:
    if migrate is upgrade:
        admin(database, CHANGED)
    with database.connect(None) as load:
        begin_load(load)
        running = Running(database, lambda: migrate(database, settings))
        assert running.wait_for_lock()
        load.execute(text(PRODUCT))  # a trigger of this insert locks shop_private.work
        load.execute(text(IMAGE))
        load.commit()
        assert running.end() == []
    assert admin(database, "select count(*) from pg_trigger where tgenabled = 'A'") == [(0,)]


def test_an_encoder_continues_while_an_upgrade_waits_for_it(database: Database, settings: Settings) -> None:
    admin(database, CHANGED)
    with database.connect(None) as encoder:
        encoder.execute(text("update shop_private.work set attempts = 0"))
        running = Running(database, lambda: upgrade(database, settings))
        assert running.wait_for_lock()
        encoder.execute(text("update shop.product_image set width = 1, height = 1"))
        encoder.commit()
        assert running.end() == []
    assert admin(database, "select count(*) from pg_trigger where tgenabled = 'A'") == [(0,)]
