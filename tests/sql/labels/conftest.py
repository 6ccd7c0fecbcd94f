"""The fixtures provide two catalogs, with 20,000 products and with four products. The toy model has label indexes. A
label is one value of a field, and its label index is an HNSW index of the products with this value."""

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
from tests.support.large_catalog import calibration
from tests.support.shop import Shop, product

STORED = """
    select p.sku, l.value #>> '{}', v.embedding = i.embedding
    from shop.toy_image_label v join shop.label_index l using (label_id) join shop.product p using (product_id)
    join shop.toy_image i on i.product_id = v.product_id and i.position = v.position order by 1, 2"""


@pytest.fixture(scope="session")
def labelled_home(toy_template: tuple[str, Path], public_folder: Path) -> Path:
    home = public_folder / "labelled-home"
    shutil.copytree(toy_template[1], home)
    return home


@pytest.fixture(scope="session")
def labelled(databases: Databases, large: Database, labelled_home: Path) -> Database:
    """Returns the database of `large` with label indexes of product_type and attributes.yarn.

    Each of the four labels of product_type covers 25 of the 50 clusters, with about half of the products of each. The
    yarn is wool for the brands 20 to 29, which are far from the query "bag", and silk for the brands 30 to 39. For
    every other brand, the yarn is the name of the brand, and too few products have this yarn for a label.
    """
    database = databases.copy(str(large.write.database))
    admin(
        database,
        "set session_replication_role = replica; update shop.product set attributes = attributes "
        "|| jsonb_build_object('yarn', "
        "case when substr(brand, 7)::integer between 20 and 29 then 'wool' "
        "when substr(brand, 7)::integer between 30 and 39 then 'silk' else brand end)",
    )
    settings = Settings(home=labelled_home)
    for field in ("product_type", "attributes.yarn"):
        add_labels(database, settings, field, min_rows=1000)
    deferred_indexes.build(database)
    admin(database, calibration(ef_search=1000, slack=0.04, exact_us_per_row=40, crossover_rows=300))
    admin(database, "analyze shop.product")
    return database


@pytest.fixture
def conn(labelled: Database) -> Iterator[Connection]:
    """Yields an administrator's connection whose changes are rolled back."""
    with labelled.connect(None) as connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()


@pytest.fixture(scope="session")
def small_template(databases: Databases, two_model_template: str, public_folder: Path) -> tuple[str, Path]:
    """Returns the name of a database and its home folder. The database has four products, and its model toy has labels
    of product_type."""
    home = public_folder / "small-label-home"
    shutil.copytree(public_folder / "two-model-home", home)
    shop = Shop(databases.copy(two_model_template))
    shop.load(*(product(sku, product_type=kind) for sku, kind in (("a", "bags"), ("b", "bags"), ("c", "shoes"))))
    shop.load(product("d", product_type="hats"))
    shop.encode_all()
    add_labels(shop.database, Settings(home=home), "product_type", min_rows=1)
    deferred_indexes.build(shop.database)
    shop.close()
    return str(shop.database.write.database), home


@pytest.fixture
def small(databases: Databases, small_template: tuple[str, Path], settings: Settings) -> Iterator[Shop]:
    name, home = small_template
    shutil.copytree(home, settings.home)
    shop = Shop(databases.copy(name))
    yield shop
    shop.close()
