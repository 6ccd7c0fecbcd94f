"""A signal changes the score of a product by a number that the search reads from a view or a table."""

import pytest
from sqlalchemy import text

from db.errors import DatabaseError
from db.roles import Role
from tests.sql.ranking.conftest import SEARCH, SKUS, add, found
from tests.support.shop import Shop


def test_a_signal_with_a_large_weight_orders_the_results(erp: Shop) -> None:
    app, analyst = erp.connect(Role.APP), erp.connect(Role.ANALYST)
    before = found(analyst)
    add(app)
    assert found(analyst) == before  # its weight is 0
    best_first = [f"s{n}" for n in range(7, -1, -1)]
    assert found(analyst, """, signals => '{"margin": 10}'""") == best_first
    assert found(analyst, """, signals => '{"margin": -10}'""") == best_first[::-1]
    app.exec_driver_sql("update shop.signal set weight = 10 where name = 'margin'")
    assert found(analyst) == best_first
    assert found(analyst, """, signals => '{"margin": 0}'""") == before


def test_with_one_leg_a_signal_moves_a_product_from_a_later_page_to_the_first_place(erp: Shop) -> None:
    analyst = erp.connect(Role.ANALYST)
    search = "select sku from shop.search('query', k => 2, keyword_weight => 0, title_weight => 0{}) order by rank"
    last = found(analyst, ", title_weight => 0")[-1]
    erp.run("update erp.cost set margin = (sku = :last)::integer", last=last)
    add(erp.connect(Role.APP))
    assert last not in [row[0] for row in analyst.execute(text(search.format("")))]
    [first, _] = [row[0] for row in analyst.execute(text(search.format(""", signals => '{"margin": 10}'""")))]
    assert first == last


def test_a_signal_is_read_live(erp: Shop) -> None:
    add(erp.connect(Role.APP), ", weight => 10")
    analyst = erp.connect(Role.ANALYST)
    assert found(analyst)[0] == "s7"
    erp.run("update erp.cost set margin = case sku when 's2' then 7 else 0 end")
    assert found(analyst)[0] == "s2"


def test_shop_ranking_is_the_part_of_the_score_that_signals_add(erp: Shop) -> None:
    analyst = erp.connect(Role.ANALYST)
    before = {row.sku: row for row in analyst.execute(text(SEARCH.format("")))}
    assert {row.shop_ranking for row in before.values()} == {None}
    add(erp.connect(Role.APP), ", weight => 0.5")
    for row in analyst.execute(text(SEARCH.format(""))):
        value = int(row.sku[1:]) / 7  # the share of the other products that have a smaller value
        assert row.shop_ranking == pytest.approx(0.5 * value / 61, abs=0.5 * 0.011 / 61)
        assert row.score == pytest.approx(before[row.sku].score + row.shop_ranking)


@pytest.mark.parametrize(
    ("more", "values"),
    [
        (", normalise => 'log'", {"s0": 0, "s7": 1, "s3": 2 / 3}),  # ln 4 / ln 8
        (", normalise => 'decay', half_life => '1 day'", {"s0": 1, "s1": 0.5, "s3": 0.125}),
    ],
)
def test_the_normalisations_log_and_decay_turn_numbers_into_values_from_0_to_1(
    erp: Shop, more: str, values: dict[str, float]
) -> None:
    add(erp.connect(Role.APP), f"{more}, weight => 1")
    rows = {row.sku: row.shop_ranking * 61 for row in erp.connect(Role.ANALYST).execute(text(SEARCH.format("")))}
    assert {sku: rows[sku] for sku in values} == pytest.approx(values)


def test_a_signal_can_name_products_by_sku_and_decay_with_a_time(erp: Shop) -> None:
    erp.run(
        "create view erp.news as select sku, 'main' as catalog, now() - margin * interval '1 day' as since "
        "from erp.cost"
    )
    erp.run("grant select on erp.news to shop_app")
    app, analyst = erp.connect(Role.APP), erp.connect(Role.ANALYST)
    app.exec_driver_sql(
        "select shop.add_signal('news', 'erp.news', value_column => 'since', key => 'sku', normalise => 'decay', "
        "half_life => '2 days', weight => 1)"
    )
    rows = {row.sku: row.shop_ranking * 61 for row in analyst.execute(text(SEARCH.format("")))}
    assert rows["s2"] == pytest.approx(0.5, abs=0.001)
    assert rows["s4"] == pytest.approx(0.25, abs=0.001)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("'x', 'erp.nothing'", "there is no view or table"),
        ("'x', 'erp.margin', value_column => 'nothing'", "has no column 'nothing'"),
        ("'x', 'erp.margin', value_column => 'sku'", "has the type text"),
        ("'x', 'erp.cost'", "may not read erp.cost"),
        ("'x', 'erp.twice'", "has two rows for"),
        ("'x', 'erp.nan'", "is NaN or infinite"),
        ("'x', 'erp.margin', normalise => 'zscore'", "there is no normalisation 'zscore'"),
        ("'x', 'erp.margin', half_life => '1 day'", "half_life needs"),
        ("'x', 'erp.margin', normalise => 'decay', half_life => '-1 day'", "half_life must be a finite time above 0"),
        ("'x', 'erp.margin', weight => 'NaN'", "weight must be from"),
        ("'x', 'erp.margin', weight => 11", "weight must be from"),
        ("'x', 'erp.margin', visible => 'me'", "visible must be"),
        ("'x', 'erp.margin', key => 'gtin'", "key must be"),
        ("'x', 'erp.margin', key => 'sku'", "has no column 'catalog'"),
        ("'X y', 'erp.margin'", "name must be"),
        ("'stock', 'erp.margin'", "there is already a signal"),
    ],
)
def test_a_wrong_definition_is_refused_with_a_reason_and_adds_no_signal(
    erp: Shop, arguments: str, message: str
) -> None:
    erp.run("create view erp.twice as select product_id, 1 as value from shop.product, generate_series(1, 2)")
    erp.run("create view erp.nan as select product_id, 'NaN'::float8 as value from shop.product")
    erp.run("grant select on erp.twice, erp.nan to shop_app")
    before = erp.run("select count(*) from shop.signal")
    with pytest.raises(DatabaseError, match=message):
        erp.connect(Role.APP).exec_driver_sql(f"select shop.add_signal({arguments})")
    assert erp.run("select count(*) from shop.signal") == before


@pytest.mark.parametrize("signals", ["[]", "1", '{"stock": "much"}', '{"stock": 11}', '{"stock": 1e400}', '{"x": 1}'])
def test_a_wrong_value_of_the_option_signals_is_refused(erp: Shop, signals: str) -> None:
    with pytest.raises(DatabaseError, match="signal"):
        found(erp.connect(Role.ANALYST), f", signals => '{signals}'")


def test_popularity_counts_a_visitor_once_a_day_and_decays(erp: Shop) -> None:
    erp.run(
        "insert into shop.event (kind, sku, visitor, occurred_at) "
        "select 'click', s, 'one', now() - interval '1 minute' "
        "from generate_series(1, 100), unnest('{s1,s4}'::text[]) s "
        "union all select 'click', 's2', 'v' || n, now() - interval '1 minute' from generate_series(1, 3) n "
        "union all select 'purchase', 's3', 'old', now() - interval '170 days'"
    )
    app, analyst = erp.connect(Role.APP), erp.connect(Role.ANALYST)
    app.exec_driver_sql("select shop.refresh_signals()")
    rows = erp.run("select p.sku, o.points, o.value from shop.popularity o join shop.product p using (product_id)")
    points, values = ({row[0]: row[n] for row in rows} for n in (1, 2))
    assert values == {"s3": 0.25, "s1": 0.75, "s4": 0.75, "s2": 1}  # products with equal points have equal values
    assert points["s2"] == pytest.approx(3 * points["s1"])
    assert points["s3"] < points["s1"] < points["s2"]
    assert found(analyst, """, signals => '{"popularity": 10}'""")[0] == "s2"
    erp.run("delete from shop.event")
    app.exec_driver_sql("select shop.refresh_signals()")
    assert erp.value("select count(*) from shop.popularity") == 0


def test_a_refresh_does_not_wait_for_a_session_that_deletes_products(erp: Shop) -> None:
    app = erp.connect(Role.APP)
    app.exec_driver_sql("set lock_timeout = '2s'")
    used = "insert into shop.event (kind, sku, visitor) select 'click', s, 'one' from unnest(cast(:skus as text[])) s"
    erp.run(used, skus=["s1", "s2"])
    app.exec_driver_sql("select shop.refresh_signals()")
    erp.run(used, skus=["s3"])
    with erp.database.connect(None) as other, other.begin():
        other.exec_driver_sql("delete from shop.product where sku in ('s2', 's3')")
        app.exec_driver_sql("select shop.refresh_signals()")
    skus = "select array_agg(p.sku) from shop.popularity o join shop.product p using (product_id)"
    assert erp.value(skus) == ["s1"]
    erp.run("delete from shop.event")


def test_the_function_that_reads_the_signals_of_a_role_is_dropped_with_the_last_signal(erp: Shop) -> None:
    app = erp.connect(Role.APP)
    readers = "select count(*) from pg_proc where pronamespace = 'shop_signals'::regnamespace"
    before = erp.value(readers)
    add(app)
    add(app, name="other")
    assert erp.value(readers) == before + 3
    app.exec_driver_sql("select shop.drop_signal('margin')")
    assert erp.value(readers) == before + 2
    assert found(erp.connect(Role.ANALYST), """, signals => '{"other": 1}'""")[0] == "s7"
    app.exec_driver_sql("select shop.drop_signal('other')")
    assert erp.value(readers) == before


@pytest.mark.parametrize(
    ("signal", "change"),
    [
        ("stock", "availability = case sku when 's5' then 'in_stock' else 'out_of_stock' end"),
        ("freshness", "published_at = now() - interval '10 days' * (1 + abs(5 - right(sku, 1)::integer))"),
        (
            "rating",
            "rating = case sku when 's5' then 4.8 when 's4' then 5 end, "
            "review_count = case sku when 's5' then 90 else 1 end",
        ),
        ("discount", "price = 10, sale_price = case sku when 's5' then 5 else 9 end"),
    ],
)
def test_a_built_in_signal_puts_the_right_product_first(erp: Shop, signal: str, change: str) -> None:
    erp.run(f"update shop.product set {change}")
    assert found(erp.connect(Role.ANALYST), f""", signals => '{{"{signal}": 10}}'""")[0] == "s5"


def test_a_refresh_computes_the_quantiles_of_new_values(erp: Shop) -> None:
    app, analyst = erp.connect(Role.APP), erp.connect(Role.ANALYST)
    add(app, ", weight => 1")
    erp.run("update erp.cost set margin = margin + 100")
    assert (
        len({round(row.shop_ranking, 9) for row in analyst.execute(text(SEARCH.format("")))}) == 1
    )  # all values are above the stored quantiles
    assert app.exec_driver_sql("select shop.refresh_signals()").scalar() == 1
    assert len({round(row.shop_ranking, 9) for row in analyst.execute(text(SEARCH.format("")))}) == 8


def test_pages_with_signals_neither_repeat_nor_skip_products(erp: Shop) -> None:
    add(erp.connect(Role.APP), ", weight => 0.3")
    analyst = erp.connect(Role.ANALYST)
    seen, after = [], None
    while len(seen) < 8:
        rows = analyst.execute(
            text(
                "select sku, cursor, has_next from shop.search('query', k => 3, keyword_weight => 0, after => :after)"
            ),
            {"after": after},
        ).all()
        seen += [row.sku for row in rows]
        after = rows[-1].cursor
    assert sorted(seen) == SKUS
    assert not rows[-1].has_next
