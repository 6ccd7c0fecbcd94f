"""Judgements are stored and read back as queries with their graded products."""

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection

from db.errors import SettingsError, StatementRefused
from db.evaluation.judgements import add, read
from db.roles import Role
from tests.support.judging import fill, judged, kept, one, run

if TYPE_CHECKING:
    from tests.support.shop import Shop

pytestmark = pytest.mark.usefixtures("no_judgements")


def test_a_new_grade_replaces_the_old_grade_and_an_equal_judgement_is_unchanged(
    shop: "Shop",
) -> None:
    with shop.database.connect(Role.APP) as conn, conn.begin():
        counts = add(conn, [one("bag", "a", 3), one("bag", "b", 1)])
        assert (counts.added, counts.changed, counts.unchanged) == (2, 0, 0)
        counts = add(conn, [one("bag", "a", 3), one("bag", "b", 2), one("bag", "c", 0)])
        assert (counts.added, counts.changed, counts.unchanged) == (1, 1, 1)
    assert shop.run("select sku, grade from shop.judgement order by sku") == [("a", 3), ("b", 2), ("c", 0)]


def test_the_app_may_insert_one_judgement_for_each_suite_and_query_and_product(shop: "Shop") -> None:
    app = shop.connect(Role.APP)
    app.exec_driver_sql("insert into shop.judgement (query, sku, grade) values ('bag', 'a', 2)")
    app.exec_driver_sql("insert into shop.judgement (suite, query, sku) values ('other', 'bag', 'a')")
    app.exec_driver_sql("insert into shop.judgement (query, picture_sku, sku) values ('bag', 'b', 'a')")
    with pytest.raises(StatementRefused, match="duplicate key"):
        app.exec_driver_sql("insert into shop.judgement (query, sku, grade) values ('bag', 'a', 1)")


@pytest.mark.parametrize(
    "columns",
    [
        "(sku) values ('a')",
        "(query, sku) values ('   ', 'a')",
        "(query, sku, grade) values ('bag', 'a', 4)",
        "(picture, picture_sku, sku) values ('x', 'b', 'a')",
        "(query, sku) values (repeat('x', 10001), 'a')",
    ],
)
def test_the_table_refuses_judgements_with_missing_or_invalid_values(shop: "Shop", columns: str) -> None:
    with pytest.raises(StatementRefused, match="violates check constraint"):
        shop.connect(Role.APP).exec_driver_sql(f"insert into shop.judgement {columns}")


def test_a_query_of_900_words_can_be_judged_and_evaluated(shop: "Shop", analyst: Connection) -> None:
    fill(shop, 3)
    long = " ".join(f"word{n}" for n in range(900))
    shop.cache(long)
    judged(shop, (long, "sku1", 3))
    kept(shop, run(analyst))
    assert shop.value("select count(*) from shop.evaluation_query where query = :long", long=long) == 4


def test_a_query_has_one_id_in_all_suites_and_another_id_with_an_image(shop: "Shop", analyst: Connection) -> None:
    judged(shop, ("bag", "a", 1))
    judged(shop, ("bag", "a", 1), suite="other")
    judged(shop, ("bag", "a", 1), suite="third", picture=b"picture")
    judged(shop, ("bag", "a", 1), suite="fourth", picture_sku="b")
    first, second, third, fourth = read(analyst, ["default", "other", "third", "fourth"])
    assert {query.suite for query in (first, third)} == {"default", "fourth"} or first.suite == "default"
    by_suite = {query.suite: query for query in (first, second, third, fourth)}
    assert by_suite["default"].query_id == by_suite["other"].query_id
    assert len({query.query_id for query in by_suite.values()}) == 3
    assert {suite: query.kind for suite, query in by_suite.items()} == {
        "default": "text", "other": "text", "third": "text+image", "fourth": "text+image",
    }  # fmt: skip


def test_the_error_for_a_suite_without_judgements_says_how_to_add_judgements(shop: "Shop", analyst: Connection) -> None:
    judged(shop, ("bag", "a", 1), suite="bags")
    with pytest.raises(SettingsError, match='suite "shoes" has no judgements') as error:
        read(analyst, ["shoes"])
    assert "Suites with judgements: bags" in str(error.value.hint)
    assert "windowshop judge" in str(error.value.hint)
