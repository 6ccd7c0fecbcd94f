"""Evaluations are stored, read again and compared."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection

from db.errors import SettingsError
from db.evaluation import history
from db.evaluation.fusion import LegWeights, only
from db.evaluation.judgements import read
from db.evaluation.measure import MeasureOptions, prepare
from tests.support.judging import judged, kept, run, suite_of_words

if TYPE_CHECKING:
    from tests.support.shop import Shop

pytestmark = pytest.mark.usefixtures("no_judgements")


def test_a_run_is_stored_with_every_query_and_an_analyst_can_read_the_run(shop: "Shop", analyst: Connection) -> None:
    suite_of_words(shop)
    measured = run(analyst, MeasureOptions(weights=LegWeights(0.5, 0.25, 1)))
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


def test_the_difference_of_two_runs_is_the_mean_of_the_differences_of_their_queries(
    shop: "Shop", analyst: Connection
) -> None:
    suite_of_words(shop)
    first = run(analyst, MeasureOptions(weights=only("image")))
    number = kept(shop, first)
    tasks = [first[0].task]
    assert history.find(analyst, "last", tasks)[0] == number
    _, stored = history.find(analyst, str(number), tasks)
    history.check_comparable(number, stored, tasks, 10)
    assert all(
        (one.difference.value, one.difference.low, one.difference.high) == (0, 0, 0)
        for one in history.compare(analyst, stored, first)
    )
    second = run(analyst, MeasureOptions(weights=only("keyword")))
    differences = {
        (one.measured.direction, one.metric): one.difference for one in history.compare(analyst, stored, second)
    }
    hybrid = differences["text->hybrid", "nDCG@10"]
    assert hybrid.low > 0.3
    expected = second[3].column("nDCG@10") - first[3].column("nDCG@10")
    assert hybrid.value == pytest.approx(expected.mean())
    assert differences["text->image", "nDCG@10"].value == 0


def test_the_statement_in_docs_evaluation_lists_the_queries_with_the_largest_losses(
    shop: "Shop", analyst: Connection
) -> None:
    suite_of_words(shop)
    numbers = [kept(shop, run(analyst, MeasureOptions(weights=only(leg)))) for leg in ("keyword", "image")]
    document = (Path(__file__).parents[3] / "docs" / "evaluation.md").read_text()
    [statement] = [found for found in re.findall(r"```sql\n(.*?)```", document, re.S) if "fell most" in found]
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
def test_a_run_is_not_compared_with_a_run_that_used_other_judgements(
    shop: "Shop", analyst: Connection, change: str
) -> None:
    suite_of_words(shop)
    number = kept(shop, run(analyst))
    shop.run(change)
    tasks = prepare(analyst, read(analyst, ["default"]))
    with pytest.raises(SettingsError, match=f"run {number} used other judgements for suite default, text queries"):
        history.check_comparable(*history.find(analyst, "last", tasks), tasks, 10)


def test_runs_of_another_suite_filter_or_k_and_unknown_runs_are_not_compared(shop: "Shop", analyst: Connection) -> None:
    suite_of_words(shop)
    judged(shop, ("sku1", "sku1", 3), suite="other")
    number = kept(shop, run(analyst))
    other = prepare(analyst, read(analyst, ["other"]))
    with pytest.raises(SettingsError, match="no earlier run has measured other"):
        history.find(analyst, "last", other)
    with pytest.raises(SettingsError, match=f"run {number} has not measured suite other"):
        history.check_comparable(*history.find(analyst, str(number), other), other, 10)
    tasks = prepare(analyst, read(analyst, ["default"]))
    with pytest.raises(SettingsError, match=f"run {number} was measured at k 10, this run at 5"):
        history.check_comparable(*history.find(analyst, "last", tasks), tasks, 5)
    shop.run("update shop.product set brand = 'A'")
    filtered = prepare(analyst, read(analyst, ["default"]), [{"brand": "A"}])
    with pytest.raises(SettingsError, match='not measured .* catalog main, filter {"brand": "A"}') as raised:
        history.check_comparable(*history.find(analyst, "last", filtered), filtered, 10)
    assert raised.value.hint == f"Run {number} measured: suite default, text queries, catalog main, without a filter."
    with pytest.raises(SettingsError, match="there is no run 99999"):
        history.find(analyst, "99999", tasks)
    with pytest.raises(SettingsError, match='neither the number of a run nor "last"'):
        history.find(analyst, "-1", tasks)


def test_runs_that_are_stored_at_the_same_time_get_different_numbers(
    shop: "Shop", analyst: Connection, together: Callable[..., list[int]]
) -> None:
    suite_of_words(shop, 10)
    measured = run(analyst)
    assert len(set(together(*[lambda: kept(shop, measured)] * 4))) == 4
