"""shop.event stores what shoppers do, such as searches and clicks. shop.no_result_queries lists the queries that found
no product."""

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from db.errors import StatementRefused
from db.roles import Role

if TYPE_CHECKING:
    from tests.support.shop import Shop


def test_no_result_queries_lists_only_queries_without_results(shop: "Shop") -> None:
    app = shop.connect(Role.APP)
    app.execute(
        text(
            "insert into shop.event (kind, query, results, visitor, sku) values "
            "('search', 'blue elephant', 0, 'a', null), ('search', 'blue elephant', 0, 'b', null), "
            "('search', 'blue elephant', 0, 'b', null), ('search', 'nothing like it', 0, null, null), "
            "('search', 'red shoes', 12, 'a', null), ('click', 'blue elephant', null, 'a', 's1')"
        )
    )
    rows = app.execute(text("select query, catalog, searches, visitors from shop.no_result_queries")).all()
    assert rows == [("blue elephant", "main", 3, 2), ("nothing like it", "main", 1, 0)]
    shop.run("delete from shop.event")


def test_an_analyst_cannot_read_the_views_of_query_texts(shop: "Shop") -> None:
    for view in ("shop.no_result_queries", "shop.popular_queries"):
        with shop.database.connect(Role.ANALYST) as conn, pytest.raises(StatementRefused, match="permission denied"):
            conn.execute(text(f"select * from {view}"))


@pytest.mark.parametrize("values", ["('look', 'x')", "('search', repeat('x', 10001))"])
def test_events_of_unknown_kind_or_excessive_size_are_rejected(shop: "Shop", values: str) -> None:
    with pytest.raises(StatementRefused, match="event_(kind|bounded)_check"):
        shop.connect(Role.APP).execute(text(f"insert into shop.event (kind, query) values {values}"))
