"""Judged queries through the real `shop.search` on a toy model: read, asked, measured, kept, compared, fitted."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection

from db.errors import DatabaseError, EncoderUnavailable, SettingsError, StatementRefused
from db.evaluation import fitting, history
from db.evaluation.fusion import Weights, fuse, in_dev_half, only
from db.evaluation.judgements import Judgement, add, read
from db.evaluation.measure import How, MeasuredLeg, leg_lists, measure, prepare, search, serving
from db.lifecycle.serving import serve_model
from db.roles import Role

if TYPE_CHECKING:
    from tests.support.shop import Shop


@pytest.fixture(autouse=True)
def _nothing_judged(shop: "Shop") -> Iterator[None]:
    yield
    for table in ("judgement", "evaluation", "tuning", "calibration"):
        shop.run(f"delete from shop.{table}")
    shop.run("delete from shop.catalog where catalog <> 'main'")  # a search of the only catalog is another search


@pytest.fixture
def analyst(shop: "Shop") -> Connection:
    return shop.connect(Role.ANALYST)


def judged(shop: "Shop", *rows: tuple[str, str, int], suite: str = "default", **fields: object) -> None:
    """Rows of (query, sku, grade), as the app."""
    with shop.database.connect(Role.APP) as conn, conn.begin():
        add(conn, [one(query, sku, grade, suite=suite, **fields) for query, sku, grade in rows])


def one(query: str | None, sku: str, grade: int, *, suite: str = "default", **fields: object) -> Judgement:
    given = {"catalog": "main", "picture": None, "picture_sku": None, **fields}
    return Judgement(suite=suite, query=query, sku=sku, grade=grade, **given)  # type: ignore[arg-type]


def fill(shop: "Shop", count: int = 40) -> None:
    """Products whose titles hold their own number's word; every word is in the query cache."""
    shop.add(*(f"sku{n}" for n in range(count)))
    shop.encode_all()


def suite_of_words(shop: "Shop", count: int = 40) -> None:
    """A query for each product: its own SKU, which keywords find and random vectors do not."""
    fill(shop, count)
    for n in range(count):
        shop.cache(f"sku{n}", seed=n)
    judged(shop, *((f"sku{n}", f"sku{n}", 3) for n in range(count)), *((f"sku{n}", f"sku{n + 1}", 1) for n in range(5)))


def run(conn: Connection, how: How | None = None, **options: Any) -> list[MeasuredLeg]:
    tasks = prepare(conn, read(conn, ["default"]))
    model = serving(conn)
    return [leg for task in tasks for leg in measure(conn, task, model, how, **options)]


def by_direction(measured: Sequence[MeasuredLeg]) -> dict[str, MeasuredLeg]:
    return {leg.direction: leg for leg in measured}


def kept(shop: "Shop", measured: Sequence[MeasuredLeg]) -> int:
    with shop.database.connect(Role.APP) as conn, conn.begin():
        return history.keep(conn, measured, serving(conn))


# --- judgements


def test_a_judgement_made_again_gets_the_new_grade_and_an_equal_one_is_left_alone(shop: "Shop") -> None:
    with shop.database.connect(Role.APP) as conn, conn.begin():
        counts = add(conn, [one("bag", "a", 3), one("bag", "b", 1)])
        assert (counts.added, counts.changed, counts.unchanged) == (2, 0, 0)
        counts = add(conn, [one("bag", "a", 3), one("bag", "b", 2), one("bag", "c", 0)])
        assert (counts.added, counts.changed, counts.unchanged) == (1, 1, 1)
    assert shop.run("select sku, grade from shop.judgement order by sku") == [("a", 3), ("b", 2), ("c", 0)]


def test_judgements_are_an_ordinary_table_to_the_app_and_one_query_is_judged_once_a_product(shop: "Shop") -> None:
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
def test_what_is_no_judgement_is_refused_by_the_table(shop: "Shop", columns: str) -> None:
    with pytest.raises(StatementRefused, match="violates check constraint"):
        shop.connect(Role.APP).exec_driver_sql(f"insert into shop.judgement {columns}")


def test_a_very_long_query_is_judged_and_kept_like_any_other(shop: "Shop", analyst: Connection) -> None:
    fill(shop, 3)
    long = " ".join(f"word{n}" for n in range(900))
    shop.cache(long)
    judged(shop, (long, "sku1", 3))
    kept(shop, run(analyst))
    assert shop.value("select count(*) from shop.evaluation_query where query = :long", long=long) == 4


def test_a_query_is_the_same_in_every_suite_and_another_with_a_picture(shop: "Shop", analyst: Connection) -> None:
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


def test_a_suite_without_judgements_says_how_to_add_some(shop: "Shop", analyst: Connection) -> None:
    judged(shop, ("bag", "a", 1), suite="bags")
    with pytest.raises(SettingsError, match='suite "shoes" has no judgements') as error:
        read(analyst, ["shoes"])
    assert "There are: bags" in str(error.value.hint)
    assert "windowshop judge" in str(error.value.hint)


# --- measuring


def test_every_leg_of_a_text_is_measured_alone_and_all_together(shop: "Shop", analyst: Connection) -> None:
    suite_of_words(shop)
    measured = by_direction(run(analyst))
    assert list(measured) == ["text->image", "text->title", "text->keywords", "text->hybrid"]
    assert measured["text->keywords"].column("nDCG@10").mean() > 0.9
    assert measured["text->image"].column("nDCG@10").mean() < 0.5
    assert measured["text->image"].metrics == ("recall@10", "MRR", "nDCG@10", "index recall@10")
    assert measured["text->hybrid"].metrics == ("recall@10", "MRR", "nDCG@10")


def test_the_figures_are_those_of_the_lists_that_search_returns(shop: "Shop", analyst: Connection) -> None:
    fill(shop)
    shop.cache("bag")
    judged(shop, ("bag", "sku3", 3), ("bag", "sku5", 1))
    [image, *_] = run(analyst)
    order = [
        row[0]
        for row in analyst.exec_driver_sql(
            "select sku from shop.searchable order by image_embedding <=> (select shop.clip_text('bag')) limit 10"
        )
    ]
    assert list(image.results[0]) == order
    relevant = [sku for sku in order if sku in ("sku3", "sku5")]
    assert image.column("recall@10")[0] == len(relevant) / 2
    assert image.column("MRR")[0] == (1 / (order.index(relevant[0]) + 1) if relevant else 0)


def test_a_product_that_is_asked_with_is_not_among_the_results(shop: "Shop", analyst: Connection) -> None:
    fill(shop)
    with shop.database.connect(Role.APP) as conn, conn.begin():
        add(conn, [one(None, "sku2", 3, picture_sku="sku1")])
    measured = by_direction(run(analyst))
    assert list(measured) == ["image->image", "image->title", "image->hybrid"]
    for leg in measured.values():
        assert len(leg.results[0]) == 10
        assert "sku1" not in leg.results[0]


def test_a_picture_is_asked_with_by_its_bytes(shop: "Shop", analyst: Connection) -> None:
    fill(shop)
    with shop.database.connect(Role.APP) as conn, conn.begin():
        add(conn, [one(None, "sku2", 3, picture=b"a picture")])
    with shop.encoder():
        measured = by_direction(run(analyst))
    assert list(measured) == ["image->image", "image->title", "image->hybrid"]
    [query] = measured["image->image"].task.queries
    assert len(query.label) == 64  # its sha256


def test_without_an_encoder_a_new_query_is_named(shop: "Shop", analyst: Connection) -> None:
    fill(shop, 3)
    judged(shop, ("never asked before", "sku1", 3))
    with pytest.raises(EncoderUnavailable, match='query "never asked before" of suite default cannot be encoded') as e:
        run(analyst)
    assert "windowshop encode" in str(e.value.hint)


def test_judged_products_that_are_gone_do_not_count_and_unencoded_ones_do(shop: "Shop", analyst: Connection) -> None:
    fill(shop, 3)
    shop.add("new")  # in the catalog, not encoded
    shop.cache("bag")
    shop.cache("gone", seed=1)
    judged(shop, ("bag", "sku1", 3), ("bag", "no longer sold", 3), ("bag", "new", 3), ("gone", "no longer sold", 3))
    [task] = prepare(analyst, read(analyst, ["default"]))
    assert (len(task.queries), task.left_out) == (1, 1)
    image = measure(analyst, task, serving(analyst))[0]
    assert image.column("recall@10")[0] == 1 / 2


def test_a_filter_narrows_what_is_judged_and_its_selectivity_is_kept(shop: "Shop", analyst: Connection) -> None:
    fill(shop)
    shop.run("update shop.product set brand = case when sku < 'sku2' then 'A' else 'B: 100%' end")
    share = shop.value("select avg((brand = 'A')::integer)::float8 from shop.product")
    shop.cache("bag")
    shop.cache("shoe", seed=1)
    judged(shop, ("bag", "sku1", 3), ("bag", "sku3", 3), ("shoe", "sku3", 3))
    wide, narrow, other = prepare(analyst, read(analyst, ["default"]), [None, {"brand": "A"}, {"brand": "B: 100%"}])
    assert (len(wide.queries), wide.selectivity) == (2, None)
    assert (len(narrow.queries), narrow.selectivity) == (1, pytest.approx(share))
    assert (len(other.queries), other.selectivity) == (2, pytest.approx(1 - share))
    for leg in measure(analyst, narrow, serving(analyst)):
        if leg.leg != "keyword":
            assert leg.column("recall@10")[0] == (1 if "sku1" in leg.results[0] else 0)
        assert all(sku < "sku2" for sku in leg.results[0])


def test_a_suite_may_span_catalogs(shop: "Shop", analyst: Connection) -> None:
    fill(shop, 3)
    from tests.support.shop import product

    shop.load(product("sku1"), into="other")
    shop.encode_all()
    shop.cache("bag")
    judged(shop, ("bag", "sku1", 3))
    judged(shop, ("bag", "sku1", 3), catalog="other")
    first, second = prepare(analyst, read(analyst, ["default"]))
    assert (first.catalog, second.catalog) == ("main", "other")
    assert measure(analyst, second, serving(analyst))[0].results == [["sku1"]]


def test_index_recall_compares_the_index_with_an_exact_scan(shop: "Shop", analyst: Connection) -> None:
    suite_of_words(shop, 20)
    for route in (None, "exact", "hnsw"):
        image = run(analyst, How(route=route))[0]
        assert image.column("index recall@10").mean() > 0.9
        assert image.setting["route"] == route
        if route:
            assert image.setting["routes"] == {route: 20}


def test_a_switch_of_the_model_in_between_is_noticed(two_models: "Shop") -> None:
    two_models.add(*(f"sku{n}" for n in range(3)))
    two_models.encode_all(1, 24)
    two_models.encode_all(2, 40)
    for model_id, dimension in ((1, 24), (2, 40)):
        two_models.cache("bag", model_id, dimension)
    judged(two_models, ("bag", "sku1", 3))
    conn = two_models.connect(Role.ANALYST)
    try:
        with pytest.raises(DatabaseError, match="changed during the measurement"):
            run(conn, on_progress=lambda: serve_model(two_models.database, "wide", force=True))
    finally:
        two_models.run("delete from shop.judgement")


# --- history


def test_a_run_is_kept_with_every_query_and_an_analyst_reads_it(shop: "Shop", analyst: Connection) -> None:
    suite_of_words(shop)
    measured = run(analyst, How(weights=Weights(0.5, 0.25, 1)))
    number = kept(shop, measured)
    rows = analyst.exec_driver_sql(
        "select direction, queries, k, model, revision, setting, selectivity, metrics from shop.evaluation "
        f"where run = {number} order by evaluation_id"
    ).all()
    assert [row.direction for row in rows] == [leg.direction for leg in measured]
    assert {(row.queries, row.k, row.model, row.revision, row.selectivity) for row in rows} == {
        (40, 10, "toy", "revision 1", None)
    }
    assert rows[3].setting["weights"] == {"image": 0.5, "title": 0.25, "keyword": 1, "rrf_k": 60}
    assert rows[0].setting["weights"] == {"image": 1, "title": 0, "keyword": 0, "rrf_k": 60}
    for row, leg in zip(rows, measured, strict=True):
        ndcg = row.metrics["nDCG@10"]
        assert ndcg["value"] == pytest.approx(leg.column("nDCG@10").mean())
        assert ndcg["low"] <= ndcg["value"] <= ndcg["high"]
    again = analyst.exec_driver_sql(
        "select avg((q.metrics ->> 'nDCG@10')::float8), count(*), max(cardinality(results)) "
        "from shop.evaluation join shop.evaluation_query q using (evaluation_id) "
        f"where run = {number} and direction = 'text->image'"
    ).one()
    assert tuple(again) == (pytest.approx(rows[0].metrics["nDCG@10"]["value"]), 40, 10)
    assert kept(shop, measured) == number + 1


def test_a_run_against_itself_differs_by_nothing_and_against_another_by_what_changed(
    shop: "Shop", analyst: Connection
) -> None:
    suite_of_words(shop)
    first = run(analyst, How(weights=only("image")))
    number = kept(shop, first)
    tasks = [first[0].task]
    assert history.find(analyst, "last", tasks)[0] == number
    _, stored = history.find(analyst, str(number), tasks)
    history.refuse_unlike(number, stored, tasks, 10)
    assert all(
        (one.difference.value, one.difference.low, one.difference.high) == (0, 0, 0)
        for one in history.compare(analyst, stored, first)
    )
    second = run(analyst, How(weights=only("keyword")))
    differences = {
        (one.measured.direction, one.metric): one.difference for one in history.compare(analyst, stored, second)
    }
    hybrid = differences["text->hybrid", "nDCG@10"]
    assert hybrid.low > 0.3
    expected = second[3].column("nDCG@10") - first[3].column("nDCG@10")
    assert hybrid.value == pytest.approx(expected.mean())
    assert differences["text->image", "nDCG@10"].value == 0


def test_the_queries_that_got_worst_are_found_as_the_document_says(shop: "Shop", analyst: Connection) -> None:
    suite_of_words(shop)
    numbers = [kept(shop, run(analyst, How(weights=only(leg)))) for leg in ("keyword", "image")]
    document = (Path(__file__).parents[3] / "docs" / "evaluation.md").read_text()
    [statement] = [found for found in re.findall(r"```sql\n(.*?)```", document, re.S) if "got worst" in found]
    statement = statement.replace("x.run = 3", f"x.run = {numbers[0]}").replace("y.run = 4", f"y.run = {numbers[1]}")
    worst = analyst.exec_driver_sql(statement).all()
    assert len(worst) == 10
    assert -1 <= worst[0].difference <= worst[-1].difference < 0


@pytest.mark.parametrize(
    "change",
    [
        "update shop.judgement set grade = 2 where judgement_id = (select min(judgement_id) from shop.judgement)",
        "delete from shop.judgement where judgement_id = (select min(judgement_id) from shop.judgement)",
        "insert into shop.judgement (query, sku) values ('sku1', 'sku9')",
        "delete from shop.product where sku = 'sku7'",
    ],
)
def test_runs_against_other_judgements_are_not_compared(shop: "Shop", analyst: Connection, change: str) -> None:
    suite_of_words(shop)
    number = kept(shop, run(analyst))
    shop.run(change)
    tasks = prepare(analyst, read(analyst, ["default"]))
    with pytest.raises(SettingsError, match=f"run {number} measured suite default, text queries against other judge"):
        history.refuse_unlike(*history.find(analyst, "last", tasks), tasks, 10)


def test_runs_of_other_suites_filters_or_depths_are_not_compared(shop: "Shop", analyst: Connection) -> None:
    suite_of_words(shop)
    judged(shop, ("sku1", "sku1", 3), suite="other")
    number = kept(shop, run(analyst))
    other = prepare(analyst, read(analyst, ["other"]))
    with pytest.raises(SettingsError, match="no earlier run has measured other"):
        history.find(analyst, "last", other)
    with pytest.raises(SettingsError, match=f"run {number} has nothing to compare with suite other"):
        history.refuse_unlike(*history.find(analyst, str(number), other), other, 10)
    tasks = prepare(analyst, read(analyst, ["default"]))
    with pytest.raises(SettingsError, match=f"run {number} was measured at k 10, this one at 5"):
        history.refuse_unlike(*history.find(analyst, "last", tasks), tasks, 5)
    shop.run("update shop.product set brand = 'A'")
    filtered = prepare(analyst, read(analyst, ["default"]), [{"brand": "A"}])
    with pytest.raises(SettingsError, match="nothing to compare"):
        history.refuse_unlike(*history.find(analyst, "last", filtered), filtered, 10)
    with pytest.raises(SettingsError, match="there is no run 99999"):
        history.find(analyst, "99999", tasks)
    with pytest.raises(SettingsError, match='neither the number of a run nor "last"'):
        history.find(analyst, "-1", tasks)


def test_two_runs_that_end_together_get_two_numbers(
    shop: "Shop", analyst: Connection, together: Callable[..., list[int]]
) -> None:
    suite_of_words(shop, 10)
    measured = run(analyst)
    assert len(set(together(*[lambda: kept(shop, measured)] * 4))) == 4


# --- fitting


def test_the_weights_fitted_are_those_searches_take_from_then_on(shop: "Shop", analyst: Connection) -> None:
    suite_of_words(shop)
    tasks = prepare(analyst, read(analyst, ["default"]))
    fitted = fitting.fit_weights(analyst, tasks)
    assert fitted.weights.keyword > 0.3
    assert fitted.ndcg > 0.9
    assert fitted.dev + fitted.test == 40
    measured = run(analyst, How(weights=fitted.weights))
    tested = fitting.on_test_half(measured)
    with shop.database.connect(Role.APP) as conn, conn.begin():
        fitting.store(conn, serving(conn), ["default"], fitted, tested)
    assert serving(analyst).weights == fitted.weights
    assert run(analyst)[3].results == measured[3].results  # without weights given
    detail = analyst.exec_driver_sql("select detail from shop.tuning where name = 'keyword_weight'").scalar()
    assert detail["suites"] == ["default"]
    assert detail["best_leg"] == "keyword"
    assert detail["before"] == {"image": 1, "title": 1, "keyword": 1, "rrf_k": 60}
    assert detail["test_ndcg"]["value"] == pytest.approx(tested[0].hybrid.value)


def test_a_fitted_rrf_k_is_what_searches_go_by_and_one_that_is_given_goes_first(
    shop: "Shop", analyst: Connection
) -> None:
    fill(shop, 3)
    shop.cache("bag")
    shop.run("insert into shop.tuning (model_id, name, value) values (1, 'rrf_k', 9)")
    ask = "select score from shop.search('bag', title_weight := 0, keyword_weight := 0, k := 1{})"
    assert analyst.exec_driver_sql(ask.format("")).scalar() == pytest.approx(1 / 10)
    assert analyst.exec_driver_sql(ask.format(", rrf_k := 60")).scalar() == pytest.approx(1 / 61)
    explained = analyst.exec_driver_sql("select route from shop.explain_search('bag') where step = 'fusion'").scalar()
    assert explained == "reciprocal rank, k 9"


def test_what_is_fused_here_is_what_search_fuses(shop: "Shop", analyst: Connection) -> None:
    """The fit goes by its own fusion of the legs' lists; it must be the one that searches then use."""
    suite_of_words(shop)
    [task] = prepare(analyst, read(analyst, ["default"]))
    weights = Weights(0.3, 0.2, 0.5, rrf_k=7)
    for query, lists in leg_lists(analyst, task, fitting.DEPTH):
        found = [hit.product_id for hit in search(analyst, query, k=10, weights=weights)]
        assert fuse(lists, weights)[:10] == found


def test_the_test_half_is_what_was_not_fitted_on(shop: "Shop", analyst: Connection) -> None:
    suite_of_words(shop)
    measured = run(analyst)
    [row] = fitting.on_test_half(measured)
    queries = [n for n, query in enumerate(measured[0].task.queries) if not in_dev_half(query.query_id)]
    assert row.queries == len(queries)
    assert row.hybrid.value == pytest.approx(measured[3].column("nDCG@10")[queries].mean())
    difference = measured[3].column("nDCG@10")[queries] - measured[2].column("nDCG@10")[queries]
    assert row.over["keyword"].value == pytest.approx(difference.mean())


def test_too_few_queries_are_not_fitted_on(shop: "Shop", analyst: Connection) -> None:
    suite_of_words(shop, 10)
    with pytest.raises(SettingsError, match="weights fitted on fewer than 10 mean nothing"):
        fitting.fit_weights(analyst, prepare(analyst, read(analyst, ["default"])))
