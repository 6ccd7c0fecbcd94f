"""shop_private.trial_search searches with the vectors of a given model, which need not be the serving model. A trial
calls this function to evaluate a model before the model is promoted."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, astuple
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection, text

from db.errors import DatabaseError, EncoderUnavailable, SettingsError
from db.evaluation import history
from db.evaluation.fusion import LegWeights
from db.evaluation.judgements import Judgement, add
from db.lifecycle import trial
from db.lifecycle.promotion import comparisons_of, promote
from db.roles import Role

if TYPE_CHECKING:
    from tests.support.shop import Shop

WEIGHTS = {"image": 1.0, "title": 0.5, "keyword": 2.0}
TRIAL = (
    "select sku, image_distance, title_distance from shop_private.trial_search(:model, :query, "
    "cast(:image_bytes as bytea), :sku, cast(:filter as jsonb), :k, 'main', "
    "cast(:image as float8), cast(:title as float8), "
    "cast(:keyword as float8), 60)"
)
SEARCH = (
    "select sku, image_distance, title_distance from shop.search(:query, cast(:image_bytes as bytea), "
    "cast(:inputs as jsonb), cast(:filter as jsonb), :k, image_weight => :image, title_weight => :title, "
    "keyword_weight => :keyword, route => 'exact') order by rank"
)


def fill(shop: "Shop") -> None:
    shop.add(*(f"sku{n}" for n in range(40)), image_count=2)
    shop.encode_all(1, 24)
    shop.encode_all(2, 40)
    shop.run("update shop.product set price = substr(sku, 4)::integer")
    for n in range(12):
        shop.cache(f"sku{n}", 1, 24, seed=n)
        shop.cache(f"sku{n}", 2, 40, seed=n + 100)
        shop.cache(f"query{n}", 1, 24, seed=n)
        shop.cache(f"query{n}", 2, 40, seed=n + 100)


def asked(conn: Connection, statement: str, **given: Any) -> list[tuple[str, float | None, float | None]]:
    parameters = {"query": None, "image_bytes": None, "sku": None, "filter": None, "k": 10, **WEIGHTS, **given}
    parameters["inputs"] = None if parameters["sku"] is None else json.dumps([{"sku": parameters["sku"]}])
    return [
        (row.sku, _rounded(row.image_distance), _rounded(row.title_distance))
        for row in conn.execute(text(statement), {"model": "toy", **parameters})
    ]


def _rounded(distance: float | None) -> float | None:
    return None if distance is None else round(distance, 3)


def test_a_trial_of_the_serving_model_returns_the_results_of_search(two_models: "Shop") -> None:
    fill(two_models)
    app = two_models.connect(Role.APP)
    cases: tuple[dict[str, Any], ...] = (
        {"query": "sku3"},
        {"query": "sku3", "k": 1},
        {"query": "sku3", "k": 30},
        {"query": "sku3", "title": 0.0, "keyword": 0.0},
        {"query": "sku3", "image": 0.0, "keyword": 0.0},
        {"query": "sku3", "image": 0.0, "title": 0.0},
        {"query": "sku3", "filter": '{"price": {"lt": 20}}'},
        {"image_bytes": b"an image", "title": 0.0},
        {"image_bytes": b"an image"},
        {"sku": "sku5"},
        {"sku": "sku5", "filter": '{"price": {"lt": 20}}'},
        {"query": "sku3", "sku": "sku5"},
        {"query": "sku3", "image_bytes": b"an image"},
    )
    with two_models.encoder(1):
        for given in cases:
            found = asked(app, TRIAL, **given)
            assert found == asked(app, SEARCH, **given), given
            assert found, given


def test_a_trial_uses_the_vectors_of_the_given_model(two_models: "Shop") -> None:
    fill(two_models)
    app = two_models.connect(Role.APP)
    exact = (
        "select p.sku from shop.wide_image v join shop.product p using (product_id), shop_private.query_embedding q "
        "where q.model_id = 2 and q.query = 'sku3' group by p.sku order by min(v.embedding <=> q.embedding) limit 10"
    )
    found = asked(app, TRIAL, model="wide", query="sku3", title=0.0, keyword=0.0)
    assert [sku for sku, _, _ in found] == [row.sku for row in two_models.run(exact)]


def test_a_trial_by_a_product_that_the_model_has_not_encoded_finds_no_products(two_models: "Shop") -> None:
    fill(two_models)
    two_models.run("delete from shop.wide_image where product_id = shop.product_id('sku5')")
    assert asked(two_models.connect(Role.APP), TRIAL, model="wide", sku="sku5") == []


def test_a_trial_takes_only_access_share_locks(two_models: "Shop") -> None:
    fill(two_models)
    app = two_models.connect(Role.APP)
    app.exec_driver_sql("begin")
    assert asked(app, TRIAL, model="wide", query="sku3")
    pid = app.exec_driver_sql("select pg_backend_pid()").scalar_one()
    held = two_models.run("select distinct mode from pg_locks where pid = :pid and locktype = 'relation'", pid=pid)
    assert held == [("AccessShareLock",)]
    app.exec_driver_sql("commit")


def test_an_analyst_may_not_encode_texts_with_a_model_that_does_not_serve(two_models: "Shop") -> None:
    fill(two_models)
    with pytest.raises(DatabaseError, match="permission denied for function model_vector"):
        asked(two_models.connect(Role.ANALYST), TRIAL, model="wide", query="sku3")


@contextmanager
def _silent(_what: str, _steps: int) -> Iterator[Callable[[], None]]:
    yield lambda: None


def tried(shop: "Shop", name: str = "wide", *, fit: bool = False) -> trial.Trial:
    conn = shop.connect(Role.APP)
    model, rival, tasks = trial.prepare(conn, name, ["default"])
    return trial.run(shop.database, conn, model, rival, tasks, k=10, fit=fit, progress=_silent)


def judged(shop: "Shop", queries: int) -> None:
    """Adds the judgements that query0 should find sku0, query1 should find sku1, and so on. In model `toy`, a query and
    its product have equal vectors. In model `wide`, their vectors are unrelated. No query has a word of its product."""
    with shop.database.connect(Role.APP) as conn, conn.begin():
        add(conn, [Judgement("default", "main", f"query{n}", None, None, f"sku{n}", 3) for n in range(queries)])
    shop.run(
        "update shop_private.query_embedding q set embedding = v.embedding from shop.toy_image v "
        "where q.model_id = 1 and v.product_id = shop.product_id(replace(q.query, 'query', 'sku')) and v.position = 0"
    )


def test_a_trial_compares_both_models_and_promotion_refuses_the_worse_model(two_models: "Shop") -> None:
    fill(two_models)
    for n in range(12, 40):
        two_models.cache(f"query{n}", 1, 24, seed=n)
        two_models.cache(f"query{n}", 2, 40, seed=n + 100)
    judged(two_models, 40)
    done = tried(two_models)
    assert (done.model.model, done.rival.model, done.run, done.rival_run) == ("wide", "toy", 1, 2)
    rows = two_models.run("select distinct run, model, setting ->> 'route' as route, k from shop.evaluation order by 1")
    assert rows == [(1, "wide", "exact", 10), (2, "toy", "exact", 10)]
    difference = {(one.measured.direction, one.metric): one.difference for one in done.comparisons}
    assert difference["text->image", "nDCG@10"].high < 0
    assert difference["text->keywords", "nDCG@10"].value == 0
    with two_models.database.connect(Role.APP) as conn:
        [comparison] = comparisons_of(conn, "wide", "toy")
    expected = difference["text->hybrid", "nDCG@10"]
    # The two values are summed in different orders, so the last digit may differ.
    assert astuple(comparison.difference) == pytest.approx(astuple(expected))
    with (
        two_models.encoder(2, dimension=40),
        pytest.raises(
            DatabaseError, match="model wide is not promoted: in suite default, text->hybrid, its nDCG@10 is"
        ),
    ):
        promote(two_models.database, "wide")


def test_a_trial_can_fit_the_weights_of_a_model_before_the_model_serves(two_models: "Shop") -> None:
    fill(two_models)
    for n in range(12, 40):
        two_models.cache(f"query{n}", 1, 24, seed=n)
        two_models.cache(f"query{n}", 2, 40, seed=n)
    judged(two_models, 40)
    done = tried(two_models, fit=True)
    assert done.fitted is not None
    stored = two_models.run("select model_id, name, value from shop.tuning")
    assert {row.model_id for row in stored} == {2}
    assert {row.name: row.value for row in stored} == done.fitted.weights.as_tuning()
    hybrids = two_models.run("select model, setting -> 'weights' from shop.evaluation where direction = 'text->hybrid'")
    assert dict(map(tuple, hybrids)) == {"wide": asdict(done.fitted.weights), "toy": asdict(LegWeights())}


def test_a_later_evaluation_is_not_compared_with_a_trial(two_models: "Shop") -> None:
    fill(two_models)
    judged(two_models, 3)
    tried(two_models)
    conn = two_models.connect(Role.APP)
    _, _, tasks = trial.prepare(conn, "wide", ["default"])
    with pytest.raises(SettingsError, match="no earlier run has measured default"):
        history.find(conn, "last", tasks)


def test_a_trial_that_cannot_run_is_rejected_with_a_reason(two_models: "Shop") -> None:
    fill(two_models)
    with pytest.raises(SettingsError, match="model toy is serving"):
        tried(two_models, "toy")
    with pytest.raises(DatabaseError, match="no model nonesuch"):
        tried(two_models, "nonesuch")
    judged(two_models, 12)
    two_models.run("delete from shop_private.query_embedding where model_id = 2")
    with pytest.raises(EncoderUnavailable, match='query "query0" of suite default cannot be encoded'):
        tried(two_models)
    assert two_models.value("select count(*) from shop.evaluation") == 0
