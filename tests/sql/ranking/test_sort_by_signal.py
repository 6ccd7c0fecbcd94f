"""A search can sort by a signal, alone or beside fields, over all pages. The values of the signal are read during the
search. Only the role app can sort by a signal for staff."""

import pytest
from sqlalchemy import Connection, text

from db.errors import DatabaseError
from db.roles import Role
from db.search import ranking
from db.search.ranking import SearchHit, SearchParams
from tests.sql.ranking.conftest import SKUS, add
from tests.support.shop import Shop


def search(conn: Connection, sort: str, **more: object) -> list[SearchHit]:
    return ranking.search(conn, SearchParams(query="query", sort=sort, **{"k": 100, **more})).rows  # type: ignore[arg-type]


def order(conn: Connection, sort: str, **more: object) -> list[str]:
    return [hit.sku for hit in search(conn, sort, **more)]


def paged(conn: Connection, sort: str, k: int, **more: object) -> list[str]:
    pages: list[SearchHit] = []
    while not pages or pages[-1].has_next:
        pages += search(conn, sort, k=k, after=pages[-1].cursor if pages else None, **more)
    return [hit.sku for hit in pages]


def test_a_signal_sorts_alone_or_beside_fields_and_puts_products_without_a_value_last(erp: Shop) -> None:
    add(erp.connect(Role.APP))
    analyst = erp.connect(Role.ANALYST)
    assert order(analyst, "margin desc") == SKUS[::-1]
    assert order(analyst, "margin") == SKUS
    erp.run("update erp.cost set margin = null where sku in ('s0', 's5')")
    last = [row[0] for row in erp.run("select sku from shop.product where sku in ('s0', 's5') order by product_id")]
    assert order(analyst, "margin") == ["s1", "s2", "s3", "s4", "s6", "s7", *last]
    assert order(analyst, "margin desc")[-2:] == last
    erp.run("update shop.product set availability = case when sku < 's4' then 'in_stock' else 'out_of_stock' end")
    assert order(analyst, "availability, margin desc") == ["s3", "s2", "s1", "s0", "s7", "s6", "s4", "s5"]
    assert order(analyst, "stock desc, margin, sku desc") == ["s1", "s2", "s3", "s0", "s4", "s6", "s7", "s5"]


def test_products_are_sorted_by_numbers_that_hardly_differ(erp: Shop) -> None:
    erp.run(
        "create table erp.many as select gen_random_uuid() as product_id, n::float8 as value "
        "from generate_series(1, 5000) n"
    )
    erp.run("insert into erp.many select product_id, 2000 + right(sku, 1)::integer * .1 from shop.product")
    erp.run("create unique index on erp.many (product_id)")
    erp.run("grant select on erp.many to shop_app")
    erp.connect(Role.APP).exec_driver_sql("select shop.add_signal('many', 'erp.many')")
    assert order(erp.connect(Role.ANALYST), "many desc") == SKUS[::-1]


def test_a_signal_is_read_live_for_a_sort(erp: Shop) -> None:
    add(erp.connect(Role.APP), ", weight => 1")  # the weight has no effect
    analyst = erp.connect(Role.ANALYST)
    assert order(analyst, "margin desc", signals='{"margin": -5}') == SKUS[::-1]
    erp.run("update erp.cost set margin = 6.5 where sku = 's2'")
    assert order(analyst, "margin desc")[:3] == ["s7", "s2", "s6"]


@pytest.mark.parametrize("sort", ["margin desc", "freshness, sku", "freshness desc", "stock, margin"])
@pytest.mark.parametrize("k", [1, 3])
def test_pages_return_every_product_once_while_signals_decay_and_are_refreshed(erp: Shop, sort: str, k: int) -> None:
    app, analyst = erp.connect(Role.APP), erp.connect(Role.ANALYST)
    add(app)
    erp.run("update shop.product set published_at = now() - interval '1 day' * right(sku, 1)::integer")
    whole = order(analyst, sort)
    assert paged(analyst, sort, k) == whole
    first = search(analyst, sort, k=k)
    erp.run("insert into erp.cost select 'y' || n, 1, n from generate_series(1, 300) n")
    app.exec_driver_sql("select shop.refresh_signals()")
    assert [hit.sku for hit in first] + order(analyst, sort, after=first[-1].cursor) == whole


def test_no_product_is_skipped_when_the_signals_of_the_last_products_of_a_page_change(erp: Shop) -> None:
    add(erp.connect(Role.APP))
    analyst = erp.connect(Role.ANALYST)
    page = search(analyst, "margin", k=3)
    erp.run("update erp.cost set margin = 6.5 where sku = 's2'")
    assert order(analyst, "margin", after=page[-1].cursor)[:3] == ["s3", "s4", "s5"]
    erp.run("update erp.cost set margin = 6.7 where sku = 's1'")
    assert set(order(analyst, "margin", after=page[-1].cursor)) >= {"s3", "s4", "s5", "s6", "s7"}


def test_groups_are_sorted_by_a_signal(erp: Shop) -> None:
    add(erp.connect(Role.APP))
    erp.run("update shop.product set item_group_id = 'g' || right(sku, 1)::integer / 3")
    analyst = erp.connect(Role.ANALYST)
    assert order(analyst, "margin desc", group_by="item_group_id") == ["s7", "s5", "s2"]
    assert paged(analyst, "margin desc", 1, group_by="item_group_id") == ["s7", "s5", "s2"]


def test_only_the_role_app_sorts_by_a_signal_for_staff(erp: Shop) -> None:
    app, analyst = erp.connect(Role.APP), erp.connect(Role.ANALYST)
    add(app, ", visible => 'staff', weight => 1")
    assert order(app, "margin desc") == SKUS[::-1]
    for conn in (analyst, erp.connect(Role.WEB_READER)):
        with pytest.raises(DatabaseError, match="only the role app can sort by the signal 'margin'") as refused:
            search(conn, "title, margin desc")
        assert "would reveal its values" in str(refused.value.hint)
        assert refused.value.sqlstate == "22023", "the client of REST gets this message"
    # The function that reads the signals does not return them to an analyst either.
    ids = "array(select product_id from shop.product order by sku)"
    reader = erp.value("select shop_private.signal_reader(defined_by::name) from shop.signal where name = 'margin'")
    assert not analyst.execute(text(f"""select * from shop_signals."{reader}"({ids}, '"margin"', null)""")).all()


@pytest.mark.parametrize(
    ("sort", "message"),
    [
        ("margins", 'sort has no field "margins"; did you mean "margin"'),
        ("Margin", 'sort has no field "Margin"'),
        ("margin, price, margin desc", 'sort names "margin" twice'),
        ("margin; drop table erp.cost", "sort cannot be read"),
        ("margin' or 1=1", "sort cannot be read"),
        ('"margin\' or 1=1"', 'sort has no field "margin\' or 1=1"'),
        ("signals.margin", 'sort has no field "signals.margin"'),
    ],
)
def test_a_wrong_signal_is_refused(erp: Shop, sort: str, message: str) -> None:
    add(erp.connect(Role.APP))
    with pytest.raises(DatabaseError, match=message) as refused:
        search(erp.connect(Role.ANALYST), sort)
    assert refused.value.hint
    assert "has no field" not in message or "Signals are discount, freshness, margin" in refused.value.hint


def test_a_list_without_a_query_is_not_sorted_by_a_signal(erp: Shop) -> None:
    add(erp.connect(Role.APP))
    for call in ("sort => 'margin'", "sort => 'price, stock', after_cursor => 'sort-1'"):
        with pytest.raises(DatabaseError, match="a list without a query cannot be sorted by a signal"):
            erp.connect(Role.ANALYST).exec_driver_sql(f"select * from shop.browse({call})")


def test_a_sort_by_an_unreadable_signal_uses_the_other_keys_and_says_so(erp: Shop) -> None:
    add(erp.connect(Role.APP))
    erp.run("drop view erp.margin")
    analyst = erp.connect(Role.ANALYST)
    found = search(analyst, "margin, sku desc")
    assert [hit.sku for hit in found] == SKUS[::-1]
    assert "the sort does not use the signal margin: it cannot be read (SQLSTATE 42P01)" in found[0].reason
    explained = analyst.execute(
        text("select note from shop.explain_search('query', sort => 'margin, sku desc') where step = 'sort'")
    )
    assert "warning: the sort does not use the signal margin: it cannot be read" in explained.scalar_one()
    erp.connect(Role.APP).exec_driver_sql("select shop.drop_signal('margin')")
    with pytest.raises(DatabaseError, match='sort has no field "margin"'):
        search(analyst, "margin, sku desc")


def test_a_sort_by_a_signal_needs_one_currency_only_if_it_also_sorts_by_price(erp: Shop) -> None:
    add(erp.connect(Role.APP))
    erp.run("update shop.product set price = 5, currency = case when sku < 's3' then 'EUR' else 'USD' end")
    analyst = erp.connect(Role.ANALYST)
    assert order(analyst, "margin desc") == SKUS[::-1]
    with pytest.raises(DatabaseError, match="their prices are in EUR, USD"):
        search(analyst, "margin desc, effective_price asc")
    assert order(analyst, "margin desc, effective_price asc", filter='{"currency": "EUR"}') == ["s2", "s1", "s0"]
