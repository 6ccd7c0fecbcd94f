"""Fixtures connect as an analyst and delete judgements after a test."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection

from db.roles import Role

if TYPE_CHECKING:
    from tests.support.shop import Shop


@pytest.fixture
def no_judgements(shop: "Shop") -> Iterator[None]:
    yield
    for table in ("judgement", "evaluation", "tuning", "calibration"):
        shop.run(f"delete from shop.{table}")
    # A search in a database with one catalog runs other SQL, so the other catalogs are deleted too.
    shop.run("delete from shop.catalog where catalog <> 'main'")


@pytest.fixture
def analyst(shop: "Shop") -> Connection:
    return shop.connect(Role.ANALYST)
