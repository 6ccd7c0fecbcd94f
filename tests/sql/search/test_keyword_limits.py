"""The keyword leg, which ranks products by words, reads a limited number of products. If a word of the query is rare,
the leg finds the products that have every word.

The tests run in a catalog of 20,000 products. Nearly every product n has the words title, type, brand, `n % 4`,
`n % 50`, `word{n % 200}` and `number{n}`. In shop.common_word, some tests replace the share of the products that have a
word. Each test runs in a transaction that is rolled back.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import Connection, text

from db.engine import Database

MOST_READ = 3_000  # keyword_most_read
COMMON = 500  # keyword_common
# Stands for the products that the rankings by image and title pass to the keyword leg
FAR = "array(select product_id from shop.product where brand = 'brand 20' order by product_id limit 10)"


@dataclass
class Leg:
    numbers: list[int]  # the numbers of the products, best first
    scores: list[float]
    rows_examined: int


@pytest.fixture
def conn(large: Database) -> Iterator[Connection]:
    with large.connect(None) as conn, conn.begin() as transaction:
        conn.exec_driver_sql("select shop_private.refresh_common_words()")
        yield conn
        transaction.rollback()


def store_shares(conn: Connection, **shares: float) -> None:
    for word, share in shares.items():
        insert = "insert into shop.common_word values (:word, :share) on conflict (word) do update set share = :share"
        conn.execute(text(insert), {"word": word, "share": share})


def leg(
    conn: Connection,
    query: str,
    *,
    others: str = "null",
    matched: str = "null",
    condition: str = "true",
    depth: int = 50,
) -> Leg:
    [row] = conn.execute(
        text(
            "select (select array_agg(substr(p.sku, 5)::integer order by u.place) "
            "from unnest((l).product_ids) with ordinality u(product_id, place) "
            "join shop.product p using (product_id)), "
            f"(l).measures, (l).rows_examined from shop_private.keyword_leg(:query, 'main', :condition, {matched}, "
            f"{others}, :depth, 20000) l"
        ),
        {"query": query, "condition": condition, "depth": depth},
    )
    return Leg(row[0] or [], row[1] or [], row[2])


def test_common_words_that_few_products_have_together_find_these_products(conn: Connection) -> None:
    store_shares(conn, word5=0.03)  # as if 600 products had the word
    for others in (FAR, "null"):
        found = leg(conn, "word5 title", others=others)
        assert [n % 200 for n in found.numbers] == [5] * 50
        assert min(found.scores) >= 3  # such a score means that the product has both words
        assert found.rows_examined <= 3 * COMMON
    # A third word that none of these products has leaves no product with every word.
    nothing = leg(conn, "word5 title 2", others=FAR)
    assert max(nothing.scores) < 1
    assert nothing.rows_examined <= 100


def test_common_words_that_many_products_have_together_only_rank_products_of_other_legs(conn: Connection) -> None:
    found = leg(conn, "title type", others=FAR)
    assert (len(found.numbers), found.rows_examined) == (10, 10)
    assert {int(score) for score in found.scores} == {1}


def test_common_words_that_exclude_each_other_find_products_with_one_of_them(conn: Connection) -> None:
    """Each of the words 1 and 2 is in about a quarter of the products. No product has both words."""
    found = leg(conn, "title 1 2")
    assert len(found.numbers) == 50
    assert max(found.scores) < 1
    assert found.rows_examined <= 3 * MOST_READ


def test_a_search_for_common_words_with_a_filter_reads_a_limited_number_of_products(conn: Connection) -> None:
    for share in (2, 20, 200):
        found = leg(conn, "title type 3", condition=f"p.price < {160 / share}")
        assert len(found.numbers) == min(50, len(found.numbers)) >= 5
        assert all(n * 7919 % 160 < 160 / share for n in found.numbers)
        assert found.rows_examined <= 14 * MOST_READ


def test_every_word_counts_if_the_caller_gives_the_products_that_pass_the_filter(conn: Connection) -> None:
    matched = "array(select product_id from shop.product where brand = 'brand 20')"
    found = leg(conn, "title 2", matched=matched, others=FAR)
    assert all(n % 50 == 20 for n in found.numbers)
    every = [int(score) for score in found.scores]
    assert every == sorted(every, reverse=True)
    assert every[0] >= 3
    assert found.rows_examined <= 400


def test_without_statistics_few_products_are_read_and_the_one_with_every_word_is_found(
    conn: Connection,
) -> None:
    conn.exec_driver_sql("delete from shop.common_word")  # as after a load without ANALYZE
    found = leg(conn, "title number19999")
    assert (found.numbers[0], int(found.scores[0])) == (19999, 4)
    assert MOST_READ <= found.rows_examined <= MOST_READ + 1
    found = leg(conn, "title number19999", condition="p.sku <> 'sku 1'")
    assert found.numbers[0] == 19999


def test_a_rare_word_counts_more_than_common_words(conn: Connection) -> None:
    conn.exec_driver_sql(
        "update shop.product set title = 'zebra', brand = null, product_type = null where sku = 'sku 8'"
    )
    first = "array[shop.product_id('sku 1')]"
    assert leg(conn, "zebra title type brand", others=first).numbers == [8, 1]
    conn.exec_driver_sql("delete from shop.common_word")  # every word then counts the same
    assert leg(conn, "zebra title type brand", others=first).numbers[0] != 8


def test_the_sample_of_very_common_words_is_as_large_as_their_share_requires(conn: Connection) -> None:
    def rows_read(share: float, condition: str = "true", products: int = 20000) -> int:
        return (
            conn.scalar(
                text(
                    "select rows_read from shop_private.common_products('titl', 'titl', array[cast(:share as float8)], "
                    ":condition, :products, 50)"
                ),
                {"share": share, "condition": condition, "products": products},
            )
            or 0
        )

    assert 400 < rows_read(1) < 1000
    assert 900 < rows_read(0.5) < 1800
    # Under a filter, it is not known which share of the matches has the word.
    assert rows_read(0.5, "p.price < 80") == 2 * MOST_READ
