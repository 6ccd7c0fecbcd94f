"""Tests use the real service on a real socket and a real database. No encoder runs unless a test starts one.

Each vector of the toy model has 24 random numbers. The vectors of a few texts are in the query cache.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from db.catalog.product import Image, Product
from db.catalog.store import staging, upsert
from db.engine import Database
from db.lifecycle.serving import serve_model
from db.roles import Role
from db.settings import Settings
from migrations.model_revisions import NewModel, add_model
from tests.support.databases import Databases
from tests.support.web_service import CACHED, DIMENSION, PRODUCTS, SETTINGS, Serve, cache, served, unit_vectors


@pytest.fixture(scope="session")
def image_folder(public_folder: Path) -> Path:
    """Returns the folder that is the catalog's image root."""
    from PIL import Image as Drawing

    folder = public_folder / "web-images"
    folder.mkdir()
    for number in range(1, PRODUCTS + 1):
        Drawing.new("RGB", (300, 200), (number * 4, 90, 160)).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="session")
def shop_template(databases: Databases, template: str, public_folder: Path, image_folder: Path) -> str:
    """Returns the name of a database of 60 products with vectors. For example, 'sku 1' costs 1.50 EUR."""
    database = databases.copy(template)
    add_model(database, Settings(home=public_folder / "web-home"), NewModel("toy", "toy", "revision 1", DIMENSION))
    serve_model(database, "toy")
    colors, types = ("red", "black", "brown"), ("bags", "shoes")
    with database.connect(Role.APP) as conn, conn.begin():
        with staging(conn) as stage:
            for n in range(1, PRODUCTS + 1):
                color, kind = colors[n % 3], types[n % 2]
                stage(
                    Product(
                        f"sku {n}",
                        f"{color} {kind} number{n}",
                        brand="Nord" if n % 4 else None,
                        product_type=kind,
                        price=n * 3 / 2,  # type: ignore[arg-type]
                        currency="EUR",
                        color=color,
                        attributes={"strap_cm": n},
                        images=(Image(f"{n}.png"),),
                    )
                )
        upsert(conn, image_root=image_folder)
    with database.connect(None) as conn, conn.begin():
        for seed, (table, position) in enumerate((("toy_image", "position, "), ("toy_title", ""))):
            for n, vector in enumerate(unit_vectors(PRODUCTS, seed), 1):
                conn.execute(
                    text(
                        f"insert into shop.{table} (product_id, {position}source, embedding) values "
                        f"(shop.product_id(:sku, 'main'), {'0, ' if position else ''}'source', cast(:v as halfvec))"
                    ),
                    {"sku": f"sku {n}", "v": str(vector.tolist())},
                )
        for seed, query in enumerate(CACHED, 10):
            cache(conn, b"t", query.encode(), query, seed)
    return str(database.write.database)


@pytest.fixture(scope="session")
def shop_database(databases: Databases, shop_template: str) -> Database:
    """Returns a database that many tests share. They write only query vectors and API keys to it."""
    return databases.copy(shop_template)


@pytest.fixture
def own_database(databases: Databases, shop_template: str) -> Database:
    """Returns a copy of the shop's database for a single test, which may write to the copy."""
    return databases.copy(shop_template)


@pytest.fixture(scope="session")
def client(shop_database: Database) -> Iterator[httpx.Client]:
    """Yields a client of the service that most tests share. The service has no API keys and no rate limits."""
    with served(shop_database, SETTINGS) as client:
        yield client


@pytest.fixture
def serve(shop_database: Database) -> Serve:
    """Returns a function that starts the service with other settings, as in `with serve(queue=0) as client`."""

    def made(database: Database | None = None, **settings: Any) -> AbstractContextManager[httpx.Client]:
        return served(database or shop_database, SETTINGS.model_copy(update=settings))

    return made
