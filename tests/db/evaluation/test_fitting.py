"""The weights with which a search fuses its legs (image, title and keyword) are fitted on half of the queries and
tested on the other half."""

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection

from db.errors import SettingsError
from db.evaluation import fitting
from db.evaluation.fusion import LegWeights, fuse, in_dev_half
from db.evaluation.judgements import read
from db.evaluation.measure import MeasureOptions, leg_lists, measure, prepare, search, serving
from db.roles import Role
from tests.support.judging import fill, run, suite_of_words

if TYPE_CHECKING:
    from tests.support.shop import Shop

pytestmark = pytest.mark.usefixtures("no_judgements")


def test_searches_use_the_stored_fitted_weights(shop: "Shop", analyst: Connection) -> None:
    suite_of_words(shop)
    tasks = prepare(analyst, read(analyst, ["default"]))
    fitted = fitting.fit_weights(analyst, tasks)
    assert fitted.weights.keyword > 0.3
    assert fitted.ndcg > 0.9
    assert fitted.dev + fitted.test == 40
    measured = run(analyst, MeasureOptions(weights=fitted.weights))
    tested = fitting.on_test_half(measured)
    with shop.database.connect(Role.APP) as conn, conn.begin():
        fitting.store(conn, serving(conn), ["default"], fitted, tested)
    assert serving(analyst).weights == fitted.weights
    assert run(analyst)[3].results == measured[3].results  # without weights, a search uses the fitted weights
    detail = analyst.exec_driver_sql("select detail from shop.tuning where name = 'keyword_weight'").scalar()
    assert detail["suites"] == ["default"]
    assert detail["best_leg"] == "keyword"
    assert detail["before"] == {"image": 1, "title": 1, "keyword": 1, "rrf_k": 60}
    assert detail["test_ndcg"]["value"] == pytest.approx(tested[0].hybrid.value)


def test_the_argument_rrf_k_of_a_search_takes_precedence_over_the_fitted_rrf_k(
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


def test_fusion_in_python_equals_fusion_in_search(shop: "Shop", analyst: Connection) -> None:
    """The fit fuses the lists of the legs in Python. The fused list must equal the result of shop.search."""
    suite_of_words(shop)
    [task] = prepare(analyst, read(analyst, ["default"]))
    weights = LegWeights(0.3, 0.2, 0.5, rrf_k=7)
    for query, case in leg_lists(analyst, task, fitting.DEPTH):
        found = [hit.product_id for hit in search(analyst, query, k=10, weights=weights)]
        assert fuse(case.lists, weights, case.factors)[:10] == found


def test_the_test_half_contains_only_queries_outside_the_dev_half(shop: "Shop", analyst: Connection) -> None:
    suite_of_words(shop)
    measured = run(analyst)
    [row] = fitting.on_test_half(measured)
    queries = [n for n, query in enumerate(measured[0].task.queries) if not in_dev_half(query.query_id)]
    assert row.queries == len(queries)
    assert row.hybrid.value == pytest.approx(measured[3].column("nDCG@10")[queries].mean())
    difference = measured[3].column("nDCG@10")[queries] - measured[2].column("nDCG@10")[queries]
    assert row.over["keyword"].value == pytest.approx(difference.mean())


def test_queries_with_a_filter_and_queries_without_are_tested_as_separate_groups(
    shop: "Shop", analyst: Connection
) -> None:
    suite_of_words(shop)
    tasks = prepare(analyst, read(analyst, ["default"]), [None, {"sku": {"ne": "none"}}])
    rows = fitting.on_test_half([leg for task in tasks for leg in measure(analyst, task, serving(analyst))])
    assert len({row.what for row in rows}) == 3
    assert rows[0].queries == rows[1].queries == rows[2].queries / 2


def test_a_fit_needs_at_least_ten_queries_in_each_half(shop: "Shop", analyst: Connection) -> None:
    suite_of_words(shop, 10)
    with pytest.raises(SettingsError, match="for meaningful weights, each half needs at least 10 queries"):
        fitting.fit_weights(analyst, prepare(analyst, read(analyst, ["default"])))
