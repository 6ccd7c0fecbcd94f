"""A signal is read with the rights of the role that defined it. A signal that cannot be read changes no score."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from db import functions
from db.errors import DatabaseError
from db.roles import Role
from db.site_status import schema_checks
from db.site_status.finding import Finding, Level
from tests.sql.ranking.conftest import SKUS, add, explained, found
from tests.support.shop import Shop

PARTS = "select problem from shop_private.signal_parts('{00000000-0000-0000-0000-000000000000}', null, null)"
SLOW = (
    "create or replace view erp.margin as select p.product_id, c.sku, c.margin + length(pg_sleep(0.5)::text) as value "
    "from shop.product p join erp.cost c using (sku)"
)


def test_only_the_role_app_sees_what_a_staff_signal_adds(erp: Shop) -> None:
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


def test_rules_do_not_weight_a_staff_signal_for_analysts_and_no_new_rule_may_name_it(erp: Shop) -> None:
    app, analyst = erp.connect(Role.APP), erp.connect(Role.ANALYST)
    add(app)
    rule = (
        "insert into shop.rule (name, condition, action) "
        """values ('r', '{"always": true}', '{"signals": {"margin": 9}}')"""
    )
    app.exec_driver_sql(rule)
    [(rule_id,)] = erp.run("select rule_id from shop.rule")
    try:
        read = f"select count(*) from shop_private.signal_parts(array[shop.product_id('s1')], null, '{{{rule_id}}}')"
        assert analyst.exec_driver_sql(read).scalar() == 1
        app.exec_driver_sql("update shop.signal set visible = 'staff' where name = 'margin'")
        assert analyst.exec_driver_sql(read).scalar() == 0
        assert app.exec_driver_sql(read).scalar() == 1
        erp.run("delete from shop.rule")
        with pytest.raises(DatabaseError, match="a rule cannot change the weight of a signal that only staff sees"):
            app.exec_driver_sql(rule)
    finally:
        erp.run("delete from shop.rule")


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
    # A function of the same name with other arguments does not take the place of the changed one.
    app.exec_driver_sql(
        f'create function shop_signals."{reader}"(integer) returns setof shop_private.signal_part '
        "language sql stable security definer as 'select null::shop_private.signal_part'"
    )
    app.exec_driver_sql(
        f'create or replace function shop_signals."{reader}"(uuid[], jsonb, bigint[]) '
        "returns setof shop_private.signal_part language plpgsql stable security invoker as "
        "'begin raise exception using message = current_user; end'"
    )
    assert {row.problem for row in analyst.exec_driver_sql(PARTS) if row.problem} == {
        f"the function that reads the signals of {app.exec_driver_sql('select current_user').scalar()} is missing or "
        "changed"
    }


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
    assert explained(app)["signal margin"] == ("not read", "weight 10; warning: division by zero")
    assert explained(app)["sku s7, signal margin"] == (
        "not read",
        "adds nothing, because it was not read: division by zero",
    )
    erp.run("drop view erp.margin")
    assert found(analyst) == before
    assert "does not exist" in str(explained(app))
    [(problem,)] = app.exec_driver_sql("select problem from shop.signal_state() where name = 'margin'")
    assert "does not exist" in problem


def test_a_view_that_fails_only_for_some_products_is_reported(erp: Shop) -> None:
    app = erp.connect(Role.APP)
    add(app, ", weight => 1")
    state = "select problem from shop.signal_state() where name = 'margin'"

    def status() -> Finding:
        with erp.database.connect(None) as conn, conn.begin():
            return schema_checks.signals(conn, erp.database.roles)

    assert app.exec_driver_sql(state).scalar() is None
    assert status().level is Level.FINE
    erp.run(
        "create or replace view erp.margin as select p.product_id, c.sku, 1 / (c.margin - 5) as value "
        "from shop.product p join erp.cost c using (sku)"
    )
    assert app.exec_driver_sql(state).scalar() == "division by zero"
    assert status().level is Level.WARNING
    assert status().message == "searches leave out a signal: margin: division by zero"
    erp.run("truncate shop.product cascade")
    assert app.exec_driver_sql(state).scalar() is None


def test_an_upgrade_renews_the_functions_that_read_the_views_of_their_signals(erp: Shop) -> None:
    app = erp.connect(Role.APP)
    add(app, ", weight => 1")
    bodies = (
        "select array_agg(prosrc order by proname), bool_and(prosecdef), "
        "bool_or(has_function_privilege('public', oid, 'execute')), array_agg(distinct proowner::regrole::text) "
        "from pg_proc where pronamespace = 'shop_signals'::regnamespace and proname = any('{margin,stolen}')"
    )
    [([fresh], *rights)] = erp.run(bodies)
    assert rights == [True, False, [app.exec_driver_sql("select current_user").scalar()]]
    earlier = (
        "create or replace function shop_signals.{0}(p_product_ids uuid[]) returns double precision[] language sql "
        "stable security definer set search_path = pg_catalog, pg_temp as "
        "'select array(select max(v.value) from unnest($1) u left join erp.margin v on v.product_id = u group by u)'"
    )
    app.exec_driver_sql(earlier.format("margin"))
    # The row of this signal names the view erp.secret, but its function reads erp.margin.
    erp.run("create view erp.secret as select * from erp.margin; grant select on erp.secret to shop_app")
    app.exec_driver_sql(earlier.format("stolen"))
    app.exec_driver_sql("revoke all on function shop_signals.stolen(uuid[]) from public")
    app.exec_driver_sql(
        "insert into shop.signal (name, source, value_column, key, normalise, weight, visible, defined_by) "
        "values ('stolen', 'erp.secret', 'value', 'product_id', 'percentile', 0, 'all', current_user)"
    )
    [margin, stolen] = erp.run(bodies)[0][0]
    assert margin != fresh
    last = (Path(functions.__file__).parent / "ranking/signals/renew_signals.sql").read_text().rpartition("\n\n")[2]
    renew = f"set role {erp.database.roles.owner}; {last.strip()} reset role"
    erp.run(renew)
    assert erp.run(bodies)[0] == ([fresh, stolen], *rights)
    assert explained(app)["signal margin"][0] is None
    erp.run("drop view erp.secret; drop view erp.margin")
    erp.run(renew)  # a missing view is no error
    assert erp.run(bodies)[0][0] == [fresh, stolen]


def test_the_catalog_of_a_row_does_not_let_a_renewed_function_read_another_view(erp: Shop) -> None:
    """A row of shop.signal names a view, a column and a catalog. An upgrade renews the function of a signal only if the
    text of the old function already reads this view and this column. The text also contains the catalog as a literal.
    The role app may choose the catalog, so it could write the name of another view into the literal."""
    administrator, app = erp.connect(None), erp.connect(Role.APP)
    erp.run("create view erp.secret as select c.sku, c.margin as value, c.cost as hidden from erp.cost c")
    erp.run(
        "create or replace view erp.margin as select p.product_id, c.sku, c.margin as value, c.cost as val "
        "from shop.product p join erp.cost c using (sku)"
    )
    add(administrator, ", key => 'sku', catalog => 'main'")
    body = "select prosrc from pg_proc where oid = 'shop_signals.margin(uuid[])'::regprocedure"
    renew = f"set role {erp.database.roles.owner}; select shop_private.renew_signals(); reset role"
    row = (
        "insert into shop.signal (name, source, value_column, key, catalog, normalise, defined_by) "
        "values ('margin', %s, %s, 'sku', %s, 'percentile', %s)"
    )
    defined_by = administrator.exec_driver_sql("select current_user").scalar()
    for source, column, catalog in (
        ("erp.margin", "value", "x' erp.secret v.hidden v \\"),
        ("erp.secret", "hidden", "x"),
        ("erp.secret", "value", "x"),
        ("erp.margin", "val", "x"),
    ):
        app.exec_driver_sql("delete from shop.signal where name = 'margin'")
        app.exec_driver_sql(row, (source, column, catalog, defined_by))
        erp.run(renew)
        assert "from erp.secret" not in erp.value(body)
        assert "v.val:" not in erp.value(body)


def test_a_signal_that_waits_for_a_lock_adds_nothing(erp: Shop) -> None:
    add(erp.connect(Role.APP), ", weight => 10")
    analyst = erp.connect(Role.ANALYST)
    locking = erp.database.connect(None)
    with locking as conn, conn.begin():
        conn.execute(text("lock table erp.cost in access exclusive mode"))
        assert found(analyst)
        assert "SQLSTATE 55P03" in str(explained(analyst))


def test_the_error_of_a_view_is_shown_only_to_the_role_app(erp: Shop) -> None:
    app, analyst = erp.connect(Role.APP), erp.connect(Role.ANALYST)
    add(app, ", weight => 10")
    erp.run(
        "create or replace view erp.margin as select p.product_id, c.sku, "
        "(c.margin::text || ' ACME')::double precision as value from shop.product p join erp.cost c using (sku)"
    )
    state = "select problem from shop.signal_state() where name = 'margin'"
    assert "ACME" in str(explained(app))
    assert explained(analyst)["signal margin"] == (
        "not read",
        "weight 10; warning: it cannot be read (SQLSTATE 22P02)",
    )
    assert "ACME" not in str(analyst.exec_driver_sql(state).all())


def test_a_search_without_a_time_limit_can_be_cancelled_while_it_reads_a_signal(erp: Shop) -> None:
    app, analyst = erp.connect(Role.APP), erp.connect(Role.ANALYST)
    add(app, ", weight => 10")
    erp.run(SLOW)
    analyst.exec_driver_sql("set statement_timeout = 0")
    pid = analyst.exec_driver_sql("select pg_backend_pid()").scalar()
    asleep = "select wait_event = 'PgSleep' from pg_stat_activity where pid = :pid"
    with ThreadPoolExecutor(1) as pool:
        search = pool.submit(found, analyst)
        while not erp.value(asleep, pid=pid):
            assert not search.done()
        erp.run("select pg_cancel_backend(:pid)", pid=pid)
        with pytest.raises(DatabaseError, match="cancel"):
            search.result(30)


def test_a_search_that_is_out_of_time_reads_no_further_signal(erp: Shop) -> None:
    app = erp.connect(Role.APP)
    for name in ("one", "two"):
        add(app, ", weight => 10", name=name)
    erp.run("update shop.signal set weight = 1 where name = 'stock'")
    erp.run(SLOW)
    app.exec_driver_sql("set statement_timeout = '1s'")
    steps = explained(app)
    notes = sorted(str(note) for name, (_, note) in steps.items() if name in ("signal one", "signal two"))
    assert {route for name, (route, _) in steps.items() if name.endswith(("one", "two"))} == {"not read"}
    assert notes[1] == "weight 10; warning: the statement is out of time"


def test_a_search_that_runs_out_of_time_while_it_reads_a_signal_still_answers(erp: Shop) -> None:
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
