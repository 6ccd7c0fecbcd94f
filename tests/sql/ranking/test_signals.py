"""Numbers of any view rank searches, live, with the rights of the role that defined the signal."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text

from db.errors import DatabaseError
from db.roles import Role
from tests.support.shop import Shop

SKUS = [f"s{n}" for n in range(8)]
SEARCH = "select sku, score, shop_ranking from shop.search('query', k => 8, keyword_weight => 0{}) order by rank"


@pytest.fixture
def erp(shop: Shop) -> Iterator[Shop]:
    """A shop with eight encoded products, and the margin of each in erp.margin, which only app may read."""
    shop.add(*SKUS)
    shop.encode_all()
    shop.cache("query")
    shop.run("drop schema if exists erp cascade")
    shop.run("create schema erp")
    shop.run("create table erp.cost (sku text primary key, cost numeric, margin double precision)")
    shop.run("insert into erp.cost select 's' || n, 10, n from generate_series(0, 7) n")
    shop.run(
        "create view erp.margin as select p.product_id, c.sku, c.margin as value "
        "from shop.product p join erp.cost c using (sku)"
    )
    shop.run("grant usage on schema erp to shop_app")
    shop.run("grant select on erp.margin to shop_app")
    yield shop
    for name in shop.run("select name from shop.signal where defined_by is not null"):
        shop.run("select shop.drop_signal(:name)", name=name[0])
    shop.run("update shop.signal set weight = 0")
    shop.run("drop schema erp cascade")


def found(conn: Connection, more: str = "") -> list[str]:
    return [row.sku for row in conn.execute(text(SEARCH.format(more)))]


def add(conn: Connection, more: str = "", name: str = "margin") -> None:
    conn.exec_driver_sql(f"select shop.add_signal('{name}', 'erp.margin'{more})")


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


def test_a_signal_is_read_live(erp: Shop) -> None:
    add(erp.connect(Role.APP), ", weight => 10")
    analyst = erp.connect(Role.ANALYST)
    assert found(analyst)[0] == "s7"
    erp.run("update erp.cost set margin = case sku when 's2' then 7 else 0 end")
    assert found(analyst)[0] == "s2"


def test_the_sum_column_is_the_part_of_the_score_that_signals_add(erp: Shop) -> None:
    analyst = erp.connect(Role.ANALYST)
    before = {row.sku: row for row in analyst.execute(text(SEARCH.format("")))}
    assert {row.shop_ranking for row in before.values()} == {None}
    add(erp.connect(Role.APP), ", weight => 0.5")
    for row in analyst.execute(text(SEARCH.format(""))):
        value = int(row.sku[1:]) / 7  # the share of smaller values
        assert row.shop_ranking == pytest.approx(0.5 * value / 61, abs=0.5 * 0.011 / 61)
        assert row.score == pytest.approx(before[row.sku].score + row.shop_ranking)


@pytest.mark.parametrize(
    ("more", "values"),
    [
        (", normalise => 'log'", {"s0": 0, "s7": 1, "s3": 2 / 3}),  # ln 4 / ln 8
        (", normalise => 'decay', half_life => '1 day'", {"s0": 1, "s1": 0.5, "s3": 0.125}),
    ],
)
def test_log_and_decay_map_numbers_to_0_to_1(erp: Shop, more: str, values: dict[str, float]) -> None:
    add(erp.connect(Role.APP), f"{more}, weight => 1")
    rows = {row.sku: row.shop_ranking * 61 for row in erp.connect(Role.ANALYST).execute(text(SEARCH.format("")))}
    assert {sku: rows[sku] for sku in values} == pytest.approx(values)


def test_a_signal_by_sku_and_by_time(erp: Shop) -> None:
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


def explained(conn: Connection, more: str = "") -> dict[str, tuple[str | None, str | None]]:
    statement = (
        f"select step, route, note from shop.explain_search('query', k => 8, keyword_weight => 0, sku => 's7'{more})"
    )
    return {row.step: (row.route, row.note) for row in conn.execute(text(statement)) if "signal" in row.step}


def test_only_app_sees_what_a_staff_signal_adds(erp: Shop) -> None:
    app, analyst = erp.connect(Role.APP), erp.connect(Role.ANALYST)
    add(app, ", weight => 1, visible => 'staff'")
    add(app, ", weight => 1, value_column => 'value'", name="open")
    assert set(explained(app)) == {"signal margin", "signal open", "sku s7, signal margin", "sku s7, signal open"}
    assert set(explained(analyst)) == {"signal open", "other signals", "sku s7, signal open", "sku s7, other signals"}
    assert found(app) == found(analyst)
    for more in (""", signals => '{"margin": 1}'""", """, signals => '{"nothing": 1}'"""):
        with pytest.raises(DatabaseError, match="there is no signal"):
            found(analyst, more)
    found(app, """, signals => '{"margin": 1}'""")
    with pytest.raises(DatabaseError, match="permission denied"):
        analyst.exec_driver_sql("select shop_signals.margin(null)")
    with pytest.raises(DatabaseError, match="permission denied"):
        analyst.exec_driver_sql("select bounds from shop.signal")
    with pytest.raises(DatabaseError, match="permission denied"):
        analyst.exec_driver_sql("select * from erp.margin")
    assert [
        row[0] for row in analyst.exec_driver_sql("select name from shop.signal_state() where defined_by is not null")
    ] == ["open"]


def test_a_changed_function_is_not_run_with_the_rights_of_the_caller(erp: Shop) -> None:
    app, analyst = erp.connect(Role.APP), erp.connect(Role.ANALYST)
    add(app, ", weight => 10")
    [(reader,)] = app.exec_driver_sql(
        "select proname from pg_proc where pronamespace = 'shop_signals'::regnamespace and proname ~ '^read '"
    )
    before = found(analyst)
    app.exec_driver_sql(f'alter function shop_signals."{reader}"(uuid[], jsonb, bigint[]) security invoker')
    assert found(analyst) != before
    assert "missing or changed" in str(explained(analyst))


def test_an_administrator_does_not_run_the_functions_of_other_roles(erp: Shop) -> None:
    add(erp.connect(Role.APP), ", weight => 10")
    assert found(erp.connect(Role.ANALYST))[0] == "s7"
    note = erp.run("select note from shop.explain_search('query', catalog => 'main') where step = 'other signals'")
    assert "SET ROLE" in str(note)


def test_a_role_under_row_level_security_reads_no_signal_of_another_role(erp: Shop) -> None:
    add(erp.connect(Role.APP), ", weight => 10")
    analyst = erp.connect(Role.ANALYST)
    reader = erp.run("select shop_private.signal_reader(defined_by::name) from shop.signal where name = 'margin'")[0][0]
    products = "array(select shop.product_id(s) from unnest(%s::text[]) s)"
    read = f'select * from shop_signals."{reader}"({products}, null::jsonb, null::bigint[])'
    assert len(analyst.exec_driver_sql(read, (SKUS,)).all()) == 1
    erp.run("alter table shop.product enable row level security")
    erp.run("create policy first on shop.product to shop_analyst using (sku <> 's1')")
    try:
        assert set(found(analyst)) == {*SKUS} - {"s1"}
        assert analyst.exec_driver_sql(read, (SKUS,)).all() == []
        assert explained(analyst)["other signals"][0] == "not read"
    finally:
        analyst.rollback()
        erp.run("drop policy first on shop.product")
        erp.run("alter table shop.product disable row level security")


def test_a_signal_that_fails_adds_nothing_and_the_search_answers(erp: Shop) -> None:
    app, analyst = erp.connect(Role.APP), erp.connect(Role.ANALYST)
    before = found(analyst)
    add(app, ", weight => 10")
    assert found(analyst) != before
    erp.run(
        "create or replace view erp.margin as select p.product_id, c.sku, 1 / (c.margin - c.margin) as value "
        "from shop.product p join erp.cost c using (sku)"
    )
    assert found(analyst) == before
    assert explained(analyst)["signal margin"] == ("not read", "weight 10; warning: division by zero")
    erp.run("drop view erp.margin")
    assert found(analyst) == before
    assert "does not exist" in str(explained(analyst))
    [(problem,)] = app.exec_driver_sql("select problem from shop.signal_state() where name = 'margin'")
    assert "does not exist" in problem


def test_a_signal_that_waits_for_a_lock_adds_nothing(erp: Shop) -> None:
    add(erp.connect(Role.APP), ", weight => 10")
    analyst = erp.connect(Role.ANALYST)
    locking = erp.database.connect(None)
    with locking as conn, conn.begin():
        conn.execute(text("lock table erp.cost in access exclusive mode"))
        assert found(analyst)
        assert "lock timeout" in str(explained(analyst))


def test_a_statement_that_is_out_of_time_in_a_signal_still_answers(erp: Shop) -> None:
    app, analyst = erp.connect(Role.APP), erp.connect(Role.ANALYST)
    before = found(analyst)
    add(app, ", weight => 10")
    erp.run(
        "create or replace view erp.margin as select p.product_id, c.sku, "
        "c.margin + length(pg_sleep(30)::text) as value "
        "from shop.product p join erp.cost c using (sku)"
    )
    analyst.exec_driver_sql("set statement_timeout = '1s'")
    assert found(analyst) == before


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
        ("'x', 'erp.margin', normalise => 'decay', half_life => '-1 day'", "half_life is not a time above 0"),
        ("'x', 'erp.margin', weight => 'NaN'", "weight is not between"),
        ("'x', 'erp.margin', weight => 11", "weight is not between"),
        ("'x', 'erp.margin', visible => 'me'", "visible is not"),
        ("'x', 'erp.margin', key => 'gtin'", "key is not"),
        ("'x', 'erp.margin', key => 'sku'", "has no column 'catalog'"),
        ("'X y', 'erp.margin'", "name is not"),
        ("'stock', 'erp.margin'", "there is already a signal"),
    ],
)
def test_a_wrong_definition_has_one_clear_error_and_changes_nothing(erp: Shop, arguments: str, message: str) -> None:
    erp.run("create view erp.twice as select product_id, 1 as value from shop.product, generate_series(1, 2)")
    erp.run("create view erp.nan as select product_id, 'NaN'::float8 as value from shop.product")
    erp.run("grant select on erp.twice, erp.nan to shop_app")
    before = erp.run("select count(*) from shop.signal")
    with pytest.raises(DatabaseError, match=message):
        erp.connect(Role.APP).exec_driver_sql(f"select shop.add_signal({arguments})")
    assert erp.run("select count(*) from shop.signal") == before


@pytest.mark.parametrize("signals", ["[]", "1", '{"stock": "much"}', '{"stock": 11}', '{"stock": 1e400}', '{"x": 1}'])
def test_a_wrong_option_has_an_error(erp: Shop, signals: str) -> None:
    with pytest.raises(DatabaseError, match="signal"):
        found(erp.connect(Role.ANALYST), f", signals => '{signals}'")


def test_popularity_counts_a_visitor_once_a_day_and_decays(erp: Shop) -> None:
    erp.run(
        "insert into shop.event (kind, sku, visitor, occurred_at) "
        "select 'click', 's1', 'one', now() - interval '1 minute' from generate_series(1, 100) "
        "union all select 'click', 's2', 'v' || n, now() - interval '1 minute' from generate_series(1, 3) n "
        "union all select 'purchase', 's3', 'old', now() - interval '170 days'"
    )
    app, analyst = erp.connect(Role.APP), erp.connect(Role.ANALYST)
    app.exec_driver_sql("select shop.refresh_signals()")
    points = dict(erp.run("select p.sku, o.points from shop.popularity o join shop.product p using (product_id)"))
    assert points["s2"] == pytest.approx(3 * points["s1"])
    assert points["s3"] < points["s1"] < points["s2"]
    assert found(analyst, """, signals => '{"popularity": 10}'""")[:3] == ["s2", "s1", "s3"]
    erp.run("delete from shop.event")
    app.exec_driver_sql("select shop.refresh_signals()")
    assert erp.value("select count(*) from shop.popularity") == 0


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


def test_a_refresh_follows_new_values(erp: Shop) -> None:
    app, analyst = erp.connect(Role.APP), erp.connect(Role.ANALYST)
    add(app, ", weight => 1")
    erp.run("update erp.cost set margin = margin + 100")
    assert (
        len({round(row.shop_ranking, 9) for row in analyst.execute(text(SEARCH.format("")))}) == 1
    )  # all are above the quantiles
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
