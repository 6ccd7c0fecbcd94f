"""Judged queries run through the real `shop.search` with a toy model, and the results of each leg are measured."""

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection

from db.errors import DatabaseError, EncoderUnavailable
from db.evaluation.judgements import add, read
from db.evaluation.measure import MeasureOptions, measure, prepare, serving
from db.lifecycle.serving import serve_model
from db.roles import Role
from tests.support.judging import by_direction, fill, judged, one, run, suite_of_words

if TYPE_CHECKING:
    from tests.support.shop import Shop

pytestmark = pytest.mark.usefixtures("no_judgements")


def test_each_leg_of_a_text_query_and_the_hybrid_search_are_measured(shop: "Shop", analyst: Connection) -> None:
    suite_of_words(shop)
    measured = by_direction(run(analyst))
    assert list(measured) == ["text->image", "text->title", "text->keywords", "text->hybrid"]
    assert measured["text->keywords"].column("nDCG@10").mean() > 0.9
    assert measured["text->image"].column("nDCG@10").mean() < 0.5
    assert measured["text->image"].metrics == ("recall@10", "MRR", "nDCG@10", "index recall@10")
    assert measured["text->hybrid"].metrics == ("recall@10", "MRR", "nDCG@10")


def test_metrics_are_computed_from_the_lists_that_search_returns(shop: "Shop", analyst: Connection) -> None:
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


def test_the_product_whose_image_is_the_query_is_not_in_the_results(shop: "Shop", analyst: Connection) -> None:
    fill(shop)
    with shop.database.connect(Role.APP) as conn, conn.begin():
        add(conn, [one(None, "sku2", 3, picture_sku="sku1")])
    measured = by_direction(run(analyst))
    assert list(measured) == ["image->image", "image->title", "image->hybrid"]
    for leg in measured.values():
        assert len(leg.results[0]) == 10
        assert "sku1" not in leg.results[0]


def test_a_query_image_stored_as_bytes_is_measured(shop: "Shop", analyst: Connection) -> None:
    fill(shop)
    with shop.database.connect(Role.APP) as conn, conn.begin():
        add(conn, [one(None, "sku2", 3, picture=b"an image")])
    with shop.encoder():
        measured = by_direction(run(analyst))
    assert list(measured) == ["image->image", "image->title", "image->hybrid"]
    [query] = measured["image->image"].task.queries
    assert len(query.label) == 64  # the SHA-256 of the image in hexadecimal digits


def test_without_an_encoder_the_error_names_the_query(shop: "Shop", analyst: Connection) -> None:
    fill(shop, 3)
    judged(shop, ("never asked before", "sku1", 3))
    with pytest.raises(EncoderUnavailable, match='query "never asked before" of suite default cannot be encoded') as e:
        run(analyst)
    assert "windowshop encode" in str(e.value.hint)


def test_recall_counts_relevant_products_without_vectors_and_ignores_deleted_products(
    shop: "Shop", analyst: Connection
) -> None:
    fill(shop, 3)
    shop.add("new")  # in the catalog but not encoded
    shop.cache("bag")
    shop.cache("gone", seed=1)
    judged(shop, ("bag", "sku1", 3), ("bag", "no longer sold", 3), ("bag", "new", 3), ("gone", "no longer sold", 3))
    [task] = prepare(analyst, read(analyst, ["default"]))
    assert (len(task.queries), task.left_out) == (1, 1)
    image = measure(analyst, task, serving(analyst))[0]
    assert image.column("recall@10")[0] == 1 / 2


def test_a_filter_restricts_the_judged_products_and_its_selectivity_is_measured(
    shop: "Shop", analyst: Connection
) -> None:
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


def test_a_suite_may_have_judgements_for_several_catalogs(shop: "Shop", analyst: Connection) -> None:
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


def test_index_recall_is_measured_for_each_route(shop: "Shop", analyst: Connection) -> None:
    suite_of_words(shop, 20)
    for route in (None, "exact", "hnsw"):
        image = run(analyst, MeasureOptions(route=route))[0]
        assert image.column("index recall@10").mean() > 0.9
        assert image.setting["route"] == route
        if route:
            assert image.setting["routes"] == {route: 20}


def test_a_model_switch_during_a_measurement_raises_an_error(two_models: "Shop") -> None:
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
