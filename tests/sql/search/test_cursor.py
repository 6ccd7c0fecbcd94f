"""A cursor continues only the search that returned it."""

from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import Connection

from db.errors import StatementRefused
from db.roles import Role
from db.search import ranking
from db.search.ranking import SearchParams
from tests.support.shop import Shop, product

# Every value is 1, so only the names of the options distinguish these searches.
OPTIONS: list[dict[str, Any]] = [
    {"image_weight": 1},
    {"title_weight": 1},
    {"keyword_weight": 1},
    {"rrf_k": 1},
]


@pytest.fixture
def cursors(shop: Shop) -> dict[str, str]:
    """Returns the cursor of the first page of each search."""
    shop.load(*(product(f"s{n}", f"bag {n}") for n in range(3)))
    shop.encode_all()
    shop.cache("bag")
    with shop.database.connect(Role.ANALYST) as conn:
        return {str(options): first_page(conn, options)[0].cursor for options in OPTIONS}


def first_page(conn: Connection, options: dict[str, Any], after: str | None = None) -> list[Any]:
    return ranking.search(conn, SearchParams(query="bag", k=1, after=after, **options)).rows


def test_a_search_refuses_the_cursor_of_a_search_with_another_option_of_the_same_value(
    shop: Shop, cursors: dict[str, str]
) -> None:
    for mine, other in permutations(OPTIONS, 2):
        with (
            shop.database.connect(Role.ANALYST) as conn,
            pytest.raises(StatementRefused, match="the cursor belongs to another search"),
        ):
            first_page(conn, mine, after=cursors[str(other)])


def test_a_search_continues_at_its_own_cursor(shop: Shop, cursors: dict[str, str]) -> None:
    for options in OPTIONS:
        with shop.database.connect(Role.ANALYST) as conn:
            [first] = first_page(conn, options)
            [second] = first_page(conn, options, after=cursors[str(options)])
            assert first.sku != second.sku
