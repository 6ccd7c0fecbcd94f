"""A model is promoted only if it covers the catalog, an encoder runs for it, and its measured nDCG@10 is not clearly
lower than that of the serving model. On a large catalog, the model also needs valid indexes. The argument `force`
overrules these conditions. A promotion can be rolled back."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from db.errors import DatabaseError
from db.lifecycle import promotion
from db.lifecycle.promotion import promote, rollback
from db.roles import Role

if TYPE_CHECKING:
    from tests.support.shop import Shop


def fill(shop: "Shop") -> None:
    """Loads ten products and encodes them with both models. In the history, `toy` is the only model that has served."""
    shop.add(*(f"sku {n}" for n in range(10)))
    shop.encode_all(1, 24)
    shop.encode_all(2, 40)
    shop.run("delete from shop.serving_history where model <> 'toy'")


@pytest.fixture
def filled_shop(two_models: "Shop") -> Iterator["Shop"]:
    """Yields a filled shop while an encoder runs for each model."""
    fill(two_models)
    with two_models.encoder(1), two_models.encoder(2, dimension=40):
        yield two_models


def serving(shop: "Shop") -> str:
    return str(shop.value("select name from shop.model where status = 'serving'"))


def test_a_promotion_can_be_rolled_back_and_repeated_by_a_second_rollback(filled_shop: "Shop") -> None:
    done = promote(filled_shop.database, "wide")
    assert (done.now, done.before, done.overruled, done.comparisons) == ("wide", "toy", [], [])
    assert done.coverage["image"].done == 10
    assert serving(filled_shop) == "wide"
    back = rollback(filled_shop.database)
    assert (back.now, back.before) == ("toy", "wide")
    assert serving(filled_shop) == "toy"
    assert rollback(filled_shop.database).now == "wide"
    rows = filled_shop.run("select model from shop.serving_history order by serving_id desc limit 3")
    assert [row.model for row in rows] == ["wide", "toy", "wide"]


def test_promotion_is_refused_with_the_number_of_items_that_are_not_encoded(filled_shop: "Shop") -> None:
    filled_shop.add("new", "newer", image_count=2)
    with pytest.raises(DatabaseError, match="4 of 14 images are not encoded, 2 of 12 titles are not encoded"):
        promote(filled_shop.database, "wide")
    assert serving(filled_shop) == "toy"
    assert promote(filled_shop.database, "wide", force=True).overruled != []
    assert serving(filled_shop) == "wide"


def test_promotion_is_refused_for_an_item_without_a_vector_and_without_a_work_item(filled_shop: "Shop") -> None:
    filled_shop.run("delete from shop.wide_title where product_id = shop.product_id('sku 3')")
    with pytest.raises(DatabaseError, match="1 of 10 titles are not encoded"):
        promote(filled_shop.database, "wide")


def test_promotion_with_quarantined_items_needs_the_argument_allow_quarantined(
    filled_shop: "Shop",
) -> None:
    filled_shop.add(*(f"bad {n}" for n in range(7)))
    filled_shop.encode_all(1, 24)
    worker = filled_shop.worker(model_id=2)
    for part in ("title", "image"):
        for item in worker.claim(part):
            worker.fail(item, part=part, final=True)
    with pytest.raises(
        DatabaseError, match=r"14 items are quarantined \(bad 0, bad 1, bad 2, bad 3, bad 4 \.\.\.; see"
    ):
        promote(filled_shop.database, "wide")
    done = promote(filled_shop.database, "wide", allow_quarantined=True)
    assert done.overruled == []
    assert done.coverage["image"].quarantined == 7


def test_a_model_without_an_encoder_is_not_promoted(two_models: "Shop") -> None:
    fill(two_models)
    with two_models.encoder(1), pytest.raises(DatabaseError, match="no encoder is running for model 'wide'"):
        promote(two_models.database, "wide")


def test_a_model_without_a_valid_index_is_not_promoted_on_a_large_catalog(
    filled_shop: "Shop", monkeypatch: pytest.MonkeyPatch
) -> None:
    filled_shop.run("update pg_index set indisvalid = false where indexrelid = 'shop.wide_image_hnsw'::regclass")
    try:
        promote(filled_shop.database, "wide")  # a table of ten images needs no index
        rollback(filled_shop.database)
        monkeypatch.setattr(promotion, "NEEDS_INDEX", 5)
        filled_shop.run("vacuum analyze shop.wide_image, shop.wide_title")
        with pytest.raises(DatabaseError, match="its 10 images have no valid index") as raised:
            promote(filled_shop.database, "wide")
        assert "titles" not in raised.value.message
    finally:
        filled_shop.run("update pg_index set indisvalid = true where indexrelid = 'shop.wide_image_hnsw'::regclass")


def kept(shop: "Shop", model: str, scores: list[float], *, yardstick: str = "y", trial: bool = True) -> None:
    """Stores an evaluation run of the hybrid search with one query for each score. The score is the query's nDCG@10."""
    with shop.database.connect(Role.APP) as conn, conn.begin():
        evaluation = conn.scalar(
            text(
                "insert into shop.evaluation (run, suite, direction, catalog, model, revision, setting, queries, "
                "yardstick, k, metrics) values ((select coalesce(max(run), 0) + 1 from shop.evaluation), 'default', "
                "'text->hybrid', 'main', :model, 'revision 1', cast(:setting as jsonb), :queries, :yardstick, 10, "
                "'{}') returning evaluation_id"
            ),
            {
                "model": model,
                "setting": '{"trial": true}' if trial else "{}",
                "queries": len(scores),
                "yardstick": yardstick,
            },
        )
        for n, score in enumerate(scores):
            conn.execute(
                text(
                    "insert into shop.evaluation_query (evaluation_id, query_id, query, results, metrics) values "
                    "(:id, cast(md5(:n) as uuid), :n, '{}', jsonb_build_object('nDCG@10', cast(:score as float8)))"
                ),
                {"id": evaluation, "n": str(n), "score": score},
            )


GOOD, BAD = [0.8, 0.9, 0.7, 0.8] * 5, [0.6, 0.8, 0.6, 0.7] * 5


def test_a_model_with_a_lower_measured_ndcg_is_not_promoted(filled_shop: "Shop") -> None:
    kept(filled_shop, "wide", BAD)
    kept(filled_shop, "toy", GOOD)
    compared = r"text->hybrid, its nDCG@10 is 0.675, and that of the serving model is 0.800; difference -0.125 \["
    with pytest.raises(DatabaseError, match=compared) as raised:
        promote(filled_shop.database, "wide")
    assert "over 20 queries (run 1 against 2)" in raised.value.message
    done = promote(filled_shop.database, "wide", force=True)
    assert len(done.overruled) == 1


@pytest.mark.parametrize(
    ("scores", "why"),
    [
        (GOOD, "equal"),
        ([0.8, 0.9, 0.7, 0.5, 0.8, 0.9, 0.9, 1.0] * 2 + [0.8, 0.8, 0.7, 0.8], "a difference within the interval"),
    ],
)
def test_promoting_a_model_with_an_equal_or_similar_ndcg_returns_the_comparison(
    filled_shop: "Shop", scores: list[float], why: str
) -> None:
    kept(filled_shop, "wide", scores)
    kept(filled_shop, "toy", GOOD)
    [comparison] = promote(filled_shop.database, "wide").comparisons
    assert (comparison.run, comparison.rival_run, comparison.queries) == (1, 2, 20), why


def test_promotion_compares_the_newest_trials_of_both_models_on_the_same_judgements(filled_shop: "Shop") -> None:
    kept(filled_shop, "wide", BAD)
    kept(filled_shop, "toy", GOOD)
    kept(filled_shop, "wide", GOOD)
    kept(filled_shop, "toy", BAD)
    kept(filled_shop, "wide", BAD, yardstick="other judgements, which toy was never measured on")
    # Promotion ignores this run, because it is an ordinary evaluation and not a trial.
    kept(filled_shop, "toy", [1.0] * 20, trial=False)
    [comparison] = promote(filled_shop.database, "wide").comparisons
    assert (comparison.run, comparison.rival_run) == (3, 4)


def test_rollback_refuses_a_model_that_no_longer_covers_the_catalog(filled_shop: "Shop") -> None:
    promote(filled_shop.database, "wide")
    filled_shop.add("new")
    filled_shop.encode_all(2, 40)
    with pytest.raises(DatabaseError, match="toy lacks vectors: 1 of 11 images are not encoded, 1 of 11 titles"):
        rollback(filled_shop.database)
    assert serving(filled_shop) == "wide"
    assert rollback(filled_shop.database, force=True).overruled != []
    assert serving(filled_shop) == "toy"


def test_rollback_is_refused_if_no_other_model_has_served_before(filled_shop: "Shop") -> None:
    with pytest.raises(DatabaseError, match="no other model has served before"):
        rollback(filled_shop.database)


def test_rollback_refuses_a_retired_model(filled_shop: "Shop") -> None:
    promote(filled_shop.database, "wide")
    filled_shop.run("update shop.model set status = 'retired' where name = 'toy'")
    with pytest.raises(DatabaseError, match="model toy, revision revision 1, is retired"):
        rollback(filled_shop.database, force=True)


@pytest.mark.parametrize(("name", "said"), [("nonesuch", "no model 'nonesuch'"), ("wide", "'wide' is retired")])
def test_an_unknown_or_retired_model_cannot_be_promoted(filled_shop: "Shop", name: str, said: str) -> None:
    filled_shop.run("update shop.model set status = 'retired' where name = 'wide'")
    with pytest.raises(DatabaseError, match=said):
        promote(filled_shop.database, name, force=True)


def test_promoting_the_serving_model_changes_nothing(filled_shop: "Shop") -> None:
    before = filled_shop.run("select * from shop.serving_history")
    assert promote(filled_shop.database, "toy").before is None
    assert filled_shop.run("select * from shop.serving_history") == before
