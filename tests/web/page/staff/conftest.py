"""The fixtures create API keys and serve a shop that requires them. test_browser.py has its own fixture instead."""

from collections.abc import Iterator

import httpx
import pytest
from sqlalchemy import text

from db import api_keys
from db.engine import Database
from tests.support.web_service import Serve
from tests.web.page.staff.signing_in import OWN, Keys


@pytest.fixture
def keys(own_database: Database) -> Keys:
    with own_database.connect(None) as conn, conn.begin():
        conn.execute(text("insert into shop.catalog (catalog) values ('other')"))
        conn.execute(text("insert into shop.judgement (query, sku, grade) values ('bag', 'sku 3', 3)"))
        given = {"admin": "admin", "write": "write", "search": "search", "main": "admin", "other": "admin"}
        return {
            name: api_keys.create(conn, name, [scope], catalogs=[name] if name in ("main", "other") else None)
            for name, scope in given.items()
        }


@pytest.fixture
def client(own_database: Database, serve: Serve, keys: Keys) -> Iterator[httpx.Client]:
    with serve(own_database, api_keys="on") as client:
        client.headers.update(OWN)
        yield client
