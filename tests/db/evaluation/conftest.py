"""One fixture connects as an analyst. Another fixture deletes judgements, evaluations, fits, calibrations and added
catalogs after a test."""

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
    # A search runs different SQL if the database has only one catalog. Later tests expect one catalog, so the catalogs
    # that the test added are deleted.
    shop.run("delete from shop.catalog where catalog <> 'main'")


@pytest.fixture
def analyst(shop: "Shop") -> Connection:
    return shop.connect(Role.ANALYST)
