"""The fixtures provide a catalog of 20,000 products whose toy model has label indexes."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from db.engine import Database
from db.lifecycle import deferred_indexes
from db.settings import Settings
from migrations.label_indexes import add_labels
from tests.support.databases import Databases, admin

CALIBRATION = (
    "insert into shop.calibration (model_id, products, k, target_recall, recall, queries, query_kind, ef_search, "
    "slack, exact_us_per_row, hnsw_us_per_candidate, crossover_rows) "
    "values (1, 20000, 10, .98, .99, 60, 'text', 1000, .04, 40, 8, 300)"
)


@pytest.fixture(scope="session")
def labelled_home(toy_template: tuple[str, Path], public_folder: Path) -> Path:
    home = public_folder / "labelled-home"
    shutil.copytree(toy_template[1], home)
    return home


@pytest.fixture(scope="session")
def labelled(databases: Databases, large: Database, labelled_home: Path) -> Database:
    """Returns the database of `large` with label indexes of product_type and attributes.yarn.

    Each of the four labels of product_type has a quarter of each cluster. The yarn is wool for the clusters 20 to
    29, which are far from the query "bag", and silk for the other clusters.
    """
    database = databases.copy(str(large.write.database))
    admin(
        database,
        "set session_replication_role = replica; update shop.product set attributes = attributes "
        "|| jsonb_build_object('yarn', "
        "case when substr(brand, 7)::integer between 20 and 29 then 'wool' else 'silk' end)",
    )
    settings = Settings(home=labelled_home)
    for field in ("product_type", "attributes.yarn"):
        add_labels(database, settings, field, min_rows=1000)
    deferred_indexes.build(database)
    admin(database, CALIBRATION)
    admin(database, "analyze shop.product")
    return database


@pytest.fixture
def conn(labelled: Database) -> Iterator[Connection]:
    """Yields an administrator's connection whose changes are rolled back."""
    with labelled.connect(None) as connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()
