"""shop.suggest completes the text that a shopper types. It returns queries, product types, brands and titles."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection, Row, text

from db.engine import Database
from db.errors import StatementRefused
from db.roles import Role

if TYPE_CHECKING:
    from tests.support.shop import Shop


def _search(shop: "Shop", query: str, visitors: int, *, results: int = 3, catalog: str = "main", days: int = 0) -> None:
    shop.run(
        "insert into shop.event (kind, query, visitor, results, catalog, at) "
        "select 'search', :query, 'v' || n, :results, :catalog, now() - make_interval(days => :days) "
        "from generate_series(1, :visitors) n",
        query=query,
        visitors=visitors,
        results=results,
        catalog=catalog,
        days=days,
    )


def _fill(shop: "Shop") -> None:
    from tests.support.shop import product

    shop.load(
        *(product(f"g{n}", f"Gitarre Nr {n}", product_type="Guitars", brand="Gibson") for n in range(7)),
        *(product(f"c{n}", "Crème brûlée", product_type="Food > Desserts", brand="100% Süß_e") for n in range(2)),
        product("w", "with a 'quote' and \\ 100%"),
    )
    shop.load(product("o", "Gitarre anderswo", product_type="Gitarrenkoffer"), into="other")
    _search(shop, "guitar strings", 8)
    _search(shop, " Guitar  Strings ", 2)
    _search(shop, "acoustic guitar", 6)
    _search(shop, "guitar of one person", 4)
    _search(shop, "guitar without results", 9, results=0)
    _search(shop, "guitar long ago", 9, days=100)
    _search(shop, "guitar elsewhere", 9, catalog="other")
    _search(shop, "guitar\tcontrol", 9)
    for _ in range(20):
        _search(shop, "guitar of one busy visitor", 1)
    shop.run("select shop.refresh_suggestions()")
    shop.run("analyze shop.product, shop.suggestion")


@pytest.fixture
def stocked(filled_shop: "Callable[[Callable[[Shop], None]], Shop]") -> "Shop":
    return filled_shop(_fill)


def suggest(conn: Connection, prefix: str | None, **more: Any) -> list[Row[Any]]:
    given = "".join(f", {name} => :{name}" for name in more)
    return list(conn.execute(text(f"select * from shop.suggest(prefix => :prefix{given})"), {"prefix": prefix, **more}))


@pytest.fixture
def analyst(stocked: "Shop") -> Connection:
    return stocked.connect(Role.ANALYST)


def texts(rows: list[Row[Any]], kind: str | None = None) -> list[str]:
    return [row.text for row in rows if kind in (None, row.kind)]


def test_each_suggestion_has_a_word_that_begins_with_the_prefix(analyst: Connection) -> None:
    rows = suggest(analyst, "gui")
    assert [(row.kind, row.text, row.count) for row in rows] == [
        ("query", "guitar strings", 8),
        ("query", "acoustic guitar", 6),
        ("type", "Guitars", 7),
    ]
    rows = suggest(analyst, "GI")
    assert [(row.kind, row.text, row.count) for row in rows][:1] == [("brand", "Gibson", 7)]
    titles = [row for row in rows if row.kind == "product"]
    assert texts(titles) == [f"Gitarre Nr {n}" for n in range(7)]
    assert [(row.sku, row.count) for row in titles] == [(f"g{n}", None) for n in range(7)]
    assert {row.corrected for row in rows} == {False}


def test_a_query_needs_results_and_five_visitors_of_the_catalog(analyst: Connection) -> None:
    assert texts(suggest(analyst, "guitar", k=50), "query") == ["guitar strings", "acoustic guitar"]
    assert texts(suggest(analyst, "guitar", k=50, catalog="other"), "query") == ["guitar elsewhere"]


def test_the_fifth_visitor_makes_a_query_a_suggestion(shop: "Shop") -> None:
    _fill(shop)
    shop.run("insert into shop.event (kind, query, visitor, results) values ('search', 'guitar of ONE person', 'x', 1)")
    shop.run("select shop.refresh_suggestions()")
    assert "guitar of one person" in texts(suggest(shop.connect(Role.ANALYST), "guitar of"))
    shop.run("delete from shop.event")
    shop.run("select shop.refresh_suggestions()")
    assert texts(suggest(shop.connect(Role.ANALYST), "guitar"), "query") == []


@pytest.mark.parametrize("prefix", ["crème", "CREME", "creme br", "Crème Brûlée"])
def test_accents_capitals_and_repeated_titles_make_no_difference(analyst: Connection, prefix: str) -> None:
    [row] = suggest(analyst, prefix)
    assert (row.kind, row.text) == ("product", "Crème brûlée")


@pytest.mark.parametrize(("prefix", "found"), [("guittar", "Guitars"), ("guitrs", "Guitars"), ("gibsn", "Gibson")])
def test_a_typing_error_is_corrected(analyst: Connection, prefix: str, found: str) -> None:
    rows = suggest(analyst, prefix)
    assert found in texts(rows)
    assert {row.corrected for row in rows} == {True}


@pytest.mark.parametrize(
    ("prefix", "found"),
    [
        ("ugit", "acoustic guitar"),
        ("giut", "guitar strings"),
        ("guitra", "Guitars"),
        ("guitar stirng", "guitar strings"),
        ("strigns", "guitar strings"),
        ("gbis", "Gibson"),
        ("igtarre", "Gitarre Nr 3"),
    ],
)
def test_two_exchanged_letters_are_corrected_also_at_the_beginning_of_a_word(
    analyst: Connection, prefix: str, found: str
) -> None:
    for filter_ in (None, "{}"):
        rows = suggest(analyst, prefix, k=50, filter=filter_)
        assert found in texts(rows) or (filter_ and "guitar" in found)  # with a filter, no queries are suggested
        assert {row.corrected for row in rows} <= {True}


def test_no_letters_are_exchanged_if_something_begins_with_the_prefix(analyst: Connection) -> None:
    titles = [row for row in suggest(analyst, "gita") if row.kind == "product"]
    assert {(row.text[:7], row.corrected) for row in titles} == {("Gitarre", False)}
    assert suggest(analyst, "xx" * 50) == suggest(analyst, "gu-") == []


@pytest.mark.parametrize(
    ("prefix", "found"),
    [
        ("%", []),
        ("_", []),
        ("100%", ["100% Süß_e"]),
        ("_00%", []),
        ("100% süß_", ["100% Süß_e"]),
        ("with a 'quote' and \\", ["with a 'quote' and \\ 100%"]),
        ("') or true --", []),
        ("gitarre\t\nnr\x1f 3", ["Gitarre Nr 3"]),
        ("\U0010ffff", []),
        ("x" * 1000, []),
        ("guitar " * 200, []),
        (None, []),
    ],
)
def test_special_characters_in_a_prefix_have_no_special_meaning(
    analyst: Connection, prefix: str | None, found: list[str]
) -> None:
    assert texts(suggest(analyst, prefix)) == found


def test_an_empty_prefix_returns_queries_types_and_brands(analyst: Connection) -> None:
    for prefix in ("", "  ", "\n"):
        rows = suggest(analyst, prefix, k=4)
        assert {row.kind for row in rows} == {"query", "type", "brand"}
        assert rows[0].text == "guitar strings"


def test_the_places_of_a_missing_kind_go_to_the_other_kinds(analyst: Connection) -> None:
    assert len(suggest(analyst, "g", k=5)) == 5
    assert len(suggest(analyst, "g", k=50)) == 2 + 1 + 1 + 7
    assert {row.kind for row in suggest(analyst, "g", k=5)} == {"query", "type", "brand", "product"}
    assert {row.kind for row in suggest(analyst, "g", kinds=["brand", "type"])} == {"brand", "type"}
    assert suggest(analyst, "g", kinds=[]) == []
    for prefix in ("", "g"):
        assert suggest(analyst, prefix, kinds=["type", "type"]) == suggest(analyst, prefix, kinds=["type"]) != []


def test_blocked_texts_are_not_suggested(shop: "Shop") -> None:
    _fill(shop)
    app, analyst = shop.connect(Role.APP), shop.connect(Role.ANALYST)
    app.execute(text("insert into shop.blocked_suggestion (text) values ('strings'), ('gibson'), ('acoustic')"))
    assert texts(suggest(analyst, "guitar")) == ["Guitars"]
    assert texts(suggest(analyst, "gibs")) == texts(suggest(analyst, "", kinds=["query"])) == []
    app.execute(text("delete from shop.blocked_suggestion"))
    app.execute(text("insert into shop.blocked_suggestion (text) values ('acoustic guitar')"))
    assert texts(suggest(analyst, "guitar")) == ["guitar strings", "Guitars"]
    with pytest.raises(StatementRefused, match="blocked_suggestion_text_check"):
        app.execute(text("insert into shop.blocked_suggestion (text) values ('Guitar')"))
    app.execute(text("delete from shop.blocked_suggestion"))


@pytest.mark.parametrize("blocked", ["gun", "holster"])
def test_a_blocked_word_blocks_titles_and_texts_with_hyphens_and_quotes(shop: "Shop", blocked: str) -> None:
    from tests.support.shop import product

    for n, title in enumerate(("Gun-holster", 'Gun "holster"', "Gun, (holster)", "Gun holster")):
        shop.load(product(str(n), title, product_type=title, brand=title))
        _search(shop, title, 5)
    shop.load(product("g", "Gunnar", product_type="Gunnar"))
    shop.run("select shop.refresh_suggestions()")
    app, analyst = shop.connect(Role.APP), shop.connect(Role.ANALYST)
    assert len(suggest(analyst, "gun", k=50)) == 4 * 4 + 2
    for filter_ in ("{}", None):
        assert {row.kind for row in suggest(analyst, "gun", k=50, filter=filter_)} >= {"type", "brand", "product"}
    app.execute(text("insert into shop.blocked_suggestion (text) values (:text)"), {"text": blocked})
    for filter_ in ("{}", None):
        assert set(texts(suggest(analyst, "gun", k=50, filter=filter_))) == {"Gunnar"}
        assert suggest(analyst, "holster", k=50, filter=filter_) == []
    assert "Gun" not in str(suggest(analyst, "", k=50)).replace("Gunnar", "")
    assert suggest(analyst, "holstr", k=50) == []
    app.execute(text("delete from shop.blocked_suggestion"))
    app.execute(text("insert into shop.blocked_suggestion (text) values ('gun-holster')"))
    assert "Gun-holster" not in texts(suggest(analyst, "gun", k=50))
    assert "Gun holster" in texts(suggest(analyst, "gun", k=50), "product")
    app.execute(text("delete from shop.blocked_suggestion"))


def test_many_products_of_one_title_hide_no_other_title(shop: "Shop") -> None:
    shop.run(
        "insert into shop.product (product_id, sku, title) select shop.product_id(sku, 'main'), sku, title "
        "from (select 's' || n, case when n > 1 then 'Gitarre' else 'Gitarre mit Koffer' end "
        "from generate_series(1, 300) n) as new(sku, title)"
    )
    analyst = shop.connect(Role.ANALYST)
    assert texts(suggest(analyst, "git")) == ["Gitarre", "Gitarre mit Koffer"]
    assert texts(suggest(analyst, "git", filter='{"sku": "s1"}')) == ["Gitarre mit Koffer"]


def test_a_limited_number_of_titles_that_fail_the_filter_is_read(shop: "Shop") -> None:
    shop.run(
        "insert into shop.product (product_id, sku, title) select shop.product_id(sku, 'main'), sku, title "
        "from (select 's' || n, 'Gitarre ' || n from generate_series(1, 3000) n) as new(sku, title)"
    )
    shop.run("analyze shop.product")
    read = "select seq_tup_read + idx_tup_fetch from pg_stat_xact_user_tables where relid = 'shop.product'::regclass"
    with shop.database.connect(Role.ANALYST) as conn, conn.begin():
        before = conn.scalar(text(read))
        assert suggest(conn, "git", filter='{"quantity": 5}', kinds=["product"]) == []
        assert conn.scalar(text(read)) - before <= 2 * 200


def test_filtered_suggestions_come_only_from_products_that_pass_and_not_from_queries(analyst: Connection) -> None:
    rows = suggest(analyst, "g", filter='{"sku": ["g1", "g2"]}')
    assert [(row.kind, row.text, row.count) for row in rows] == [
        ("type", "Guitars", 2),
        ("brand", "Gibson", 2),
        ("product", "Gitarre Nr 1", None),
        ("product", "Gitarre Nr 2", None),
    ]
    assert suggest(analyst, "gui", filter='{"sku": "c1"}') == []


def test_spellings_of_a_text_are_one_suggestion_in_the_most_frequent_spelling(shop: "Shop") -> None:
    from tests.support.shop import product

    brands = ("NIKE", "Nike", "Nike", "n" * 201)
    shop.load(*(product(f"n{n}", brand=brand) for n, brand in enumerate(brands)))
    for _ in range(9):
        _search(shop, "NIKE SHOES", 1)
    _search(shop, "nike shoes", 5)
    shop.run("select shop.refresh_suggestions()")
    analyst = shop.connect(Role.ANALYST)
    assert [(row.text, row.count) for row in suggest(analyst, "n", kinds=["query"])] == [("nike shoes", 5)]
    for filter_ in (None, "{}"):
        assert [(row.text, row.count) for row in suggest(analyst, "n", kinds=["brand"], filter=filter_)] == [
            ("Nike", 3)
        ]
    [row] = suggest(analyst, "nikke", kinds=["brand"], filter='{"sku": ["n0", "n1"]}')
    assert (row.text, row.count, row.corrected) == ("NIKE", 2, True)
    assert suggest(analyst, "nikke", kinds=["brand"], filter='{"sku": "n3"}') == []


def test_filtered_suggestions_read_few_products_besides_those_with_the_suggested_texts(
    large: Database,
) -> None:
    read = "select seq_tup_read + idx_tup_fetch from pg_stat_xact_user_tables where relid = 'shop.product'::regclass"
    with large.connect(None) as conn, conn.begin() as transaction:
        conn.execute(text("select shop.refresh_suggestions()"))
        before = conn.scalar(text(read)) or 0
        rows = suggest(conn, "brand 4", kinds=["brand", "type"], filter='{"price": {"lt": 80}}')
        assert conn.scalar(text(read)) - before <= 11 * 400  # "brand 4" and "brand 40" to "brand 49"
        assert {row.text for row in rows} <= {"brand 4", *(f"brand {n}" for n in range(40, 50))}
        for row in rows:
            expected = "select count(*) from shop.product where brand = :brand and price < 80"
            assert row.count == conn.scalar(text(expected), {"brand": row.text})
        [row] = suggest(conn, "rar", kinds=["type"], filter='{"attributes.weight": 0}')
        assert (row.text, row.count) == ("rare", 10)
        assert suggest(conn, "rar", kinds=["type"], filter='{"attributes.weight": 1}') == []
        [row] = suggest(conn, "rarre", kinds=["type"], filter='{"attributes.weight": 0}')
        assert (row.text, row.corrected) == ("rare", True)
        transaction.rollback()


def test_a_role_that_does_not_see_every_product_gets_no_queries_and_no_hidden_names(shop: "Shop") -> None:
    _fill(shop)
    try:
        shop.run("alter table shop.product enable row level security")
        shop.run("select shop_private.follow_row_security()")
        shop.run("create policy tenant on shop.product using (catalog = 'other')")
        conn = shop.connect(Role.ANALYST)
        assert suggest(conn, "g") == []
        assert texts(suggest(conn, "gi", catalog="other")) == ["Gitarrenkoffer", "Gitarre anderswo"]
        assert texts(suggest(conn, "gui", catalog="other")) == []
        assert conn.scalar(text("select count(*) from shop.suggestion")) == 0
    finally:
        shop.run("drop policy if exists tenant on shop.product")
        shop.run("alter table shop.product disable row level security")
        shop.run("select shop_private.follow_row_security()")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"k": 0}, "k is 0"),
        ({"k": 51}, "k is 51"),
        ({"k": None}, "k is null"),
        ({"kinds": ["title"]}, "kinds names an unknown kind"),
        ({"kinds": None}, "kinds names an unknown kind"),
        ({"catalog": "nowhere"}, "there is no catalog 'nowhere'"),
        ({"filter": '{"prise": 3}'}, "filter has no field"),
    ],
)
def test_wrong_arguments_are_refused(analyst: Connection, more: dict[str, Any], message: str) -> None:
    with pytest.raises(StatementRefused, match=message):
        suggest(analyst, "g", **more)


def test_a_refresh_without_changes_rewrites_no_row(shop: "Shop") -> None:
    _fill(shop)
    before = shop.run("select catalog, kind, folded, place, xmin::text from shop.suggestion order by 1, 2, 3, 4")
    assert shop.value("select shop.refresh_suggestions()") == len([row for row in before if row.place == 0])
    after = shop.run("select catalog, kind, folded, place, xmin::text from shop.suggestion order by 1, 2, 3, 4")
    assert after == before
