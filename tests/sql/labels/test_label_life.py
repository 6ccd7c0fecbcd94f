"""A dump contains labels (values of a field that have HNSW indexes of their own). A downgrade of the schema removes
labels, and the next upgrade restores them. If `index add` is killed while it adds labels, the next call completes the
addition."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from db import schema
from db.embedded import server as embedded
from db.engine import Database
from db.lifecycle import deferred_indexes
from db.lifecycle.indexes import every_index
from db.settings import Settings
from migrations.upgrade import downgrade, drift, upgrade
from tests.sql.labels.conftest import STORED
from tests.support.databases import Databases, admin
from tests.support.processes import Command, wait_until, windowshop
from tests.support.shop import Shop, product

ALL = [("a", "bags", True), ("b", "bags", True), ("c", "shoes", True), ("d", "hats", True)]


def stored(shop: Shop) -> list[tuple[str, str, bool]]:
    return [tuple(row) for row in shop.run(STORED)]


def test_labels_and_their_indexes_are_in_a_dump(
    small: Shop, databases: Databases, server_home: Path, tmp_path: Path
) -> None:
    name = databases.create("template0")
    dump, environment = embedded.binary(server_home, "pg_dump")
    dumped = subprocess.run(
        [dump, "--no-password", databases.admin_url(str(small.database.write.database))],
        env=environment, capture_output=True, check=True,
    )  # fmt: skip
    psql, environment = embedded.binary(server_home, "psql")
    subprocess.run(
        [psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", databases.admin_url(name)],
        input=dumped.stdout, env=environment, capture_output=True, check=True,
    )  # fmt: skip
    database = databases.open(name)
    upgrade(database, Settings(home=tmp_path / "empty home"))
    copy = Shop(database)
    try:
        assert stored(copy) == ALL
        copy.load(product("a", product_type="shoes"))
        assert stored(copy)[0] == ("a", "shoes", True)
        states = {index.state for index in every_index(copy.connect(None), {}) if index.label is not None}
        assert states == {"valid"}
        bags = copy.value("select label_id from shop.label_index where value = '\"bags\"'")
        with database.connect(None) as conn:
            conn.exec_driver_sql("set enable_seqscan = off")
            conn.exec_driver_sql("set enable_sort = off")
            plan = conn.exec_driver_sql(
                f"explain select from shop.toy_image_label where label_id = {bags} "
                "order by embedding <=> (select embedding from shop.toy_image limit 1) limit 3"
            ).scalars()
            assert f"toy_image_label_{bags} on" in "\n".join(plan)
    finally:
        copy.close()


def test_a_downgrade_below_the_labels_removes_them_and_an_upgrade_brings_them_back(
    small: Shop, settings: Settings
) -> None:
    for file in (settings.home / "revisions").glob("model_*.py"):  # as if the models were older than labels
        file.write_text(file.read_text().replace(f'"{schema.HEAD}"', '"0038"'))
    small.close()
    downgrade(small.database, settings, "0038")
    tables = "select to_regclass('shop.toy_image_label'), to_regclass('shop.label_index')"
    assert admin(small.database, tables) == [(None, None)]
    assert admin(small.database, "select count(*) from shop.toy_image") == [(4,)]
    upgrade(small.database, settings)
    drift(small.database, settings)
    assert len(deferred_indexes.build(small.database)) == 6
    assert stored(small) == ALL


@pytest.mark.soak
def test_an_addition_of_labels_that_is_killed_at_each_of_four_steps_is_completed(
    databases: Databases,
    large: Database,
    toy_template: tuple[str, Path],
    settings: Settings,
    environment: Callable[[Database], dict[str, str]],
    tmp_path: Path,
) -> None:
    shutil.copytree(toy_template[1], settings.home)
    shop = Shop(databases.copy(str(large.write.database)))
    steps = {
        "the labels": "select exists (select from shop.label_index)",
        "the first copied vectors": "select exists (select from shop.toy_image_label)",
        "a half-built index": "select exists (select from pg_index where not indisvalid)",
        "the first built indexes": "select count(*) between 1 and 7 from shop.deferred_index",
    }
    command = ("index", "add", "--label", "product_type", "--min-rows", "1000")
    try:
        for step, condition in steps.items():
            running = Command(
                *command, env=environment(shop.database), output=tmp_path / "output", errors=tmp_path / "errors"
            )
            wait_until(
                lambda asked=condition: (
                    shop.value("select to_regclass('shop.toy_image_label') is not null") and shop.value(asked)
                ),
                120,
                step,
            )
            running.kill()
            running.wait(60)
        done = windowshop(*command, env=environment(shop.database))
        assert done.returncode == 0, done.stderr
        assert [shop.value(f"select count(*) from shop.toy_{part}_label") for part in ("image", "title")] == [
            19_990
        ] * 2
        labelled = [index for index in every_index(shop.connect(None), {}) if index.label is not None]
        assert [index.state for index in labelled] == ["valid"] * 8
        assert len(list((settings.home / "revisions").glob("*label*"))) == 1
        again = windowshop(*command, env=environment(shop.database))
        assert "No further value of product_type has 1,000 products or more" in again.stdout, again.stderr
        dropped = windowshop("index", "drop", "--label", "product_type", env=environment(shop.database))
        assert dropped.returncode == 0, dropped.stderr
        drift(shop.database, settings)
        assert shop.value("select to_regclass('shop.toy_image_label')") is None
    finally:
        shop.close()
