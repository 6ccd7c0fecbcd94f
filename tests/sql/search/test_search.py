"""shop.search returns the expected results, scores and errors in a catalog of twelve products."""

import json
from math import floor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sqlalchemy import Connection, Row, text

from db.errors import EncoderUnavailable, StatementRefused
from db.functions.constants import KEYWORD_FEW_FACTOR
from db.roles import Role
from tests.support.large_catalog import policy

if TYPE_CHECKING:
    from tests.support.shop import Shop


def search(conn: Connection, *arguments: str, function: str = "search", **named: Any) -> list[Row[Any]]:
    given = [*arguments, *(f"{name} => :{name}" for name in named)]
    return list(conn.execute(text(f"select * from shop.{function}({', '.join(given)})"), named).all())


def test_a_score_is_the_sum_of_the_contributions_of_all_legs(analyst: Connection) -> None:
    rows = search(analyst, query="red shoes", k=12)
    assert len(rows) == 12
    assert [row.rank for row in rows] == list(range(1, 13))
    assert [row.score for row in rows] == sorted((row.score for row in rows), reverse=True)
    for row in rows:
        legs = ((row.image_rank, row.image_contribution), (row.title_rank, row.title_contribution))
        assert row.score == pytest.approx(sum(part or 0 for _, part in (*legs, (0, row.keyword_contribution))))
        for rank, part in (*legs, (row.keyword_rank, row.keyword_contribution)):
            assert (rank is None) == (part is None)
        for rank, part in legs:
            assert part is None or part == pytest.approx(1 / (60 + rank))
        named = KEYWORD_FEW_FACTOR * (floor(row.keyword_score) - 1) if (row.keyword_score or 0) >= 2 else 1
        assert row.keyword_rank is None or row.keyword_contribution == pytest.approx(named / (60 + row.keyword_rank))
    assert {row.sku for row in rows if row.keyword_rank} == {"s0", "s1", "s2"}
    assert {(row.route, row.complete, row.total_is) for row in rows} == {("exact", True, "exact")}


def test_weights_and_rrf_k_determine_the_score_and_a_leg_with_weight_0_is_not_run(analyst: Connection) -> None:
    [first, *_] = search(analyst, query="red shoes", image_weight=0, title_weight=0, keyword_weight=2, rrf_k=10)
    assert first.score == pytest.approx(2 / 11)
    assert (first.image_rank, first.title_rank, first.keyword_rank, first.route) == (None, None, 1, "keyword")
    steps = {row.step: row for row in search(analyst, function="explain_search", query="red shoes", title_weight=0)}
    assert (steps["title"].route, steps["title"].ms, steps["image"].route) == ("left out", None, "exact")


def test_every_product_is_returned_once_with_its_nearest_image(stocked: "Shop", analyst: Connection) -> None:
    rows = search(analyst, query="dark", title_weight=0, keyword_weight=0, k=12)
    nearest = stocked.run(
        "select distinct on (p.sku) p.sku, i.position, i.embedding <=> shop.clip_text('dark') as distance "
        "from shop.toy_image i join shop.product p using (product_id) order by p.sku, distance"
    )
    expected = sorted((row.distance, row.sku, row.position) for row in nearest)
    assert [(row.image_distance, row.sku, row.image_position) for row in rows] == expected
    assert {row.image_uri for row in rows} == {f"{sku}-{position}.jpg" for _, sku, position in expected}


def test_a_filter_applies_to_every_leg_and_the_total_is_exact(analyst: Connection) -> None:
    rows = search(analyst, query="red shoes", filter='{"product_type": "footwear", "price": {"lt": 20}}')
    assert {row.sku for row in rows} == {"s0", "s1"}
    assert {(row.total, row.total_is, row.complete) for row in rows} == {(2, "exact", True)}


def test_the_column_reason_counts_the_matching_products_that_are_not_encoded(
    stocked: "Shop", analyst: Connection
) -> None:
    stocked.run("delete from shop.toy_image where product_id = shop.product_id('s1')")
    rows = search(analyst, query="dark", keyword_weight=0, filter='{"product_type": "footwear", "price": {"lt": 30}}')
    assert "s1" in {row.sku for row in rows}  # the title of s1 is encoded
    assert {row.reason for row in rows} == {"1 more match but are not encoded"}


def test_an_input_with_a_negative_weight_lowers_the_rank_of_similar_products(analyst: Connection) -> None:
    def rank(sku: str, **named: Any) -> int:
        rows = search(analyst, title_weight=0, keyword_weight=0, k=12, **named)
        return next(row.rank for row in rows if row.sku == sku)

    first = search(analyst, query="dark", title_weight=0, keyword_weight=0)[0]
    near = first.sku
    assert rank(near, query="dark") == 1
    inputs = '[{"text": "dark"}, {"vector": %s, "model": "toy", "weight": -1.5}]'
    vector = analyst.scalar(
        text("select embedding::text from shop.image_vector where product_id = :id and position = :position"),
        {"id": first.product_id, "position": first.image_position},
    )
    assert rank(near, inputs=inputs % vector) > 1


def test_the_query_vector_is_the_weighted_sum_of_the_unit_vectors_of_all_inputs(
    stocked: "Shop", analyst: Connection
) -> None:
    long = [3.0 * x for x in range(1, 25)]
    inputs = f'[{{"text": "dark", "weight": 2}}, {{"vector": {long}, "model": "toy", "weight": 0.5}}]'
    [dark] = stocked.run("select embedding::text from shop_private.query_embedding where query = 'dark'")
    dark_vector = np.array([float(x) for x in dark[0][1:-1].split(",")])
    expected = 2 * dark_vector / np.linalg.norm(dark_vector) + 0.5 * np.array(long) / np.linalg.norm(long)
    expected /= np.linalg.norm(expected)
    for row in search(analyst, inputs=inputs, k=12):
        image = stocked.value(
            "select embedding::text from shop.toy_image where product_id = :id and position = :position",
            id=row.product_id,
            position=row.image_position,
        )
        vector = np.array([float(x) for x in image[1:-1].split(",")])
        cosine = vector @ expected / np.linalg.norm(vector)
        assert row.image_distance == pytest.approx(1 - cosine, abs=2e-3)


def test_shop_similar_does_not_return_the_given_product(stocked: "Shop", analyst: Connection) -> None:
    rows = search(analyst, function="similar", sku="s4", k=20)
    assert len(rows) == 11
    assert "s4" not in {row.sku for row in rows}
    assert [row.image_distance for row in rows] == sorted(row.image_distance for row in rows)
    assert {row.title_rank for row in rows} == {None}
    narrow = search(analyst, function="similar", sku="s4", filter='{"product_type": "bags"}', title_weight=1)
    assert {row.sku for row in narrow} == {f"s{n}" for n in range(6, 12)}
    own_title = stocked.value(
        "select t.embedding <=> own.embedding from shop.toy_title t, shop.toy_title own "
        "where t.product_id = shop.product_id('s7') and own.product_id = shop.product_id('s4')"
    )
    [seven] = [row for row in narrow if row.sku == "s7"]
    assert seven.title_distance == pytest.approx(
        own_title, abs=2e-3
    )  # title_distance is the distance to the title of s4


def test_a_search_returns_only_products_of_its_catalog(stocked: "Shop", analyst: Connection) -> None:
    from tests.support.shop import product

    stocked.load(product("elsewhere", "red shoes"), into="other")
    stocked.encode_all()
    assert [row.sku for row in search(analyst, query="red shoes", catalog="other")] == ["elsewhere"]
    assert "elsewhere" not in {row.sku for row in search(analyst, query="red shoes", k=100)}
    with pytest.raises(StatementRefused, match="there is no catalog 'nowhere'") as raised:
        search(analyst, query="red shoes", catalog="nowhere")
    assert raised.value.hint == "The catalogs are: main, other"


def test_min_similarity_and_max_gap_remove_dissimilar_products(analyst: Connection) -> None:
    rows = search(analyst, query="dark", title_weight=0, keyword_weight=0, k=12)
    third = 1 - rows[2].image_distance
    cut = search(analyst, query="dark", title_weight=0, keyword_weight=0, k=12, min_similarity=third - 1e-6)
    assert [row.sku for row in cut] == [row.sku for row in rows[:3]]
    gap = rows[4].image_distance - rows[0].image_distance
    near = search(analyst, query="dark", title_weight=0, keyword_weight=0, k=12, max_gap=gap + 1e-6)
    assert [row.sku for row in near] == [row.sku for row in rows[:5]]
    fused = search(analyst, query="red shoes", k=12, min_similarity=0.1)
    assert all(1 - row.image_distance >= 0.1 for row in fused if row.image_distance is not None)
    assert [row.rank for row in fused] == list(range(1, len(fused) + 1))


def test_with_degrade_a_search_without_an_encoder_uses_only_keywords(stocked: "Shop", analyst: Connection) -> None:
    with pytest.raises(EncoderUnavailable):
        search(analyst, query="red shoes never asked")
    rows = search(analyst, query="red shoes never asked", degrade=True)
    assert {row.sku for row in rows} == {"s0", "s1", "s2"}
    assert {(row.complete, row.route) for row in rows} == {(False, "keyword")}
    assert {row.reason for row in rows} == {"only keywords were searched, no encoder is connected to this database"}
    # A keyword search has no similarities, so min_similarity has no effect.
    assert search(analyst, query="red shoes never asked", degrade=True, min_similarity=0.9)
    with pytest.raises(EncoderUnavailable):  # degrade does not help, because an image has no words
        search(analyst, image=b"not seen before", degrade=True)


def test_products_hidden_by_row_level_security_are_not_found(stocked: "Shop", analyst: Connection) -> None:
    with policy(stocked.database, "sku <> 's2'"):
        rows = search(analyst, query="red shoes", k=12)
        assert len(rows) == 11
        assert "s2" not in {row.sku for row in rows}
        filtered = search(analyst, query="red shoes", filter='{"product_type": "footwear"}')
        assert {(row.total, row.total_is) for row in filtered} == {(5, "exact")}


def test_explain_search_shows_the_rank_of_a_product(analyst: Connection) -> None:
    rows = search(analyst, query="red shoes", k=12)
    seventh = rows[6]
    steps = {
        row.step: row for row in search(analyst, function="explain_search", query="red shoes", k=3, sku=seventh.sku)
    }
    assert {"query", "filter", "image", "title", "keyword", "fusion"} < set(steps)
    assert steps[f"sku {seventh.sku}"].route == "matches the filter"
    assert f"rank {seventh.image_rank} of all" in steps[f"sku {seventh.sku}, image"].note
    assert f"rank {seventh.title_rank} of all" in steps[f"sku {seventh.sku}, title"].note
    assert f"rank {seventh.image_rank} in the leg" in steps[f"sku {seventh.sku}, image"].note
    assert steps[f"sku {seventh.sku}, image"].found == 1  # one product was found in this step
    outside = search(analyst, function="explain_search", query="dark", filter='{"product_type": "bags"}', sku="s1")
    assert next(row.route for row in outside if row.step == "sku s1") == "is outside the filter"
    with pytest.raises(StatementRefused, match="there is no product 'x'"):
        search(analyst, function="explain_search", query="dark", sku="x")


def of_vector(numbers: object, model: str | None = "toy") -> dict[str, str]:
    """Returns the argument `inputs` of a search by one vector."""
    entry = {"vector": numbers, "model": model} if model else {"vector": numbers}
    return {"inputs": json.dumps([entry])}


REFUSED = [
    ({"query": "", "image": b"x"}, "the query text is empty"),
    ({"query": "x" * 10_001}, "the query text is too long"),
    ({"image": b""}, "the image is empty"),
    ({"query": "dark", "k": 0}, "k is 0"),
    ({"query": "dark", "k": -1}, "k is -1"),
    ({"query": "dark", "k": 1001}, "k is 1001"),
    ({"query": "dark", "k": None}, "k is null"),
    ({"query": "dark", "rrf_k": 0}, "rrf_k is not between"),
    ({"query": "dark", "min_similarity": "NaN"}, "min_similarity is not between -1 and 1"),
    ({"query": "dark", "min_similarity": 1.5}, "min_similarity is not between -1 and 1"),
    ({"query": "dark", "max_gap": "NaN"}, "max_gap is not between 0 and 2"),
    ({"query": "dark", "max_gap": -0.1}, "max_gap is not between 0 and 2"),
    ({"query": "dark", "image_weight": -1}, "the weight of a leg is not between 0 and 1000"),
    ({"query": "dark", "image_weight": "NaN"}, "the weight of a leg is not between 0 and 1000"),
    ({"query": "dark", "title_weight": "Infinity"}, "the weight of a leg is not between 0 and 1000"),
    ({"query": "dark", "image_weight": 0, "title_weight": 0, "keyword_weight": 0}, "every leg has weight 0"),
    ({"query": "dark", "route": "fast"}, "there is no route 'fast'"),
    ({"query": "dark", "after": "x"}, "after is not a cursor"),
    ({"inputs": "[]"}, "inputs is not a list of 1 to 20"),
    ({"inputs": "{}"}, "inputs is not a list of 1 to 20"),
    ({"inputs": "[" + ",".join(['{"text": "dark"}'] * 21) + "]"}, "inputs is not a list of 1 to 20"),
    ({"inputs": "[3]"}, "an input is a number"),
    ({"inputs": "[null]"}, "an input is a null"),
    ({"inputs": '[{"txt": "dark"}]'}, "an input has the keys txt"),
    ({"inputs": '[{"text": "dark", "sku": "s1"}]'}, "an input has the keys"),
    ({"inputs": '[{"weight": 1}]'}, "an input has the keys weight"),
    ({"inputs": '[{"text": 5}]'}, "the text, image or sku of an input is not a string"),
    ({"inputs": '[{"text": null}]'}, "the text, image or sku of an input is not a string"),
    ({"inputs": '[{"text": "dark", "weight": "1"}]'}, "the weight .* of an input cannot be used"),
    ({"inputs": '[{"text": "dark", "weight": 0}]'}, "the weight 0 of an input cannot be used"),
    ({"inputs": '[{"text": "dark", "weight": 1e300}]'}, "the weight .* of an input cannot be used"),
    ({"inputs": '[{"text": "dark", "weight": -1}]'}, "every input has a negative weight"),
    ({"inputs": '[{"text": "dark"}, {"text": "dark", "weight": -1}]'}, "the inputs cancel each other out"),
    ({"inputs": '[{"text": ""}]'}, "the query text is empty"),
    ({"inputs": '[{"image": "%%%"}]'}, "the image of an input is not base64"),
    ({"inputs": '[{"sku": "no such"}]'}, "there is no product 'no such' in catalog 'main'"),
    (of_vector([1] * 24, None), "a vector of model 'unnamed' was given; 'toy' is serving"),
    (of_vector([1] * 24, "clip"), "a vector of model 'clip' was given"),
    (of_vector([1, 2]), "a vector has 2 numbers; vectors of model 'toy' have 24"),
    (of_vector([0] * 24), "is zero, so it has no direction"),
    (of_vector([1] * 17_000), "a vector has 17000 numbers"),
    (of_vector("[1]"), "is not a list of numbers"),
    (of_vector(["1"] * 24), "is not a list of numbers"),
    (of_vector([1e300] + [1] * 23), "cannot be used"),
    ({"query": "dark", "filter": '{"colour": "red"}'}, "colour"),
    ({"query": "dark", "catalog": "x"}, "there is no catalog 'x'"),
]


@pytest.mark.parametrize(("named", "message"), REFUSED)
def test_an_invalid_argument_raises_an_error_with_the_reason(
    analyst: Connection, named: dict[str, Any], message: str
) -> None:
    with pytest.raises(StatementRefused, match=message) as raised:
        search(analyst, **named)
    assert raised.value.sqlstate in ("22023", "42704")


@pytest.mark.parametrize(
    "query", ["'", "a' or 1=1 --", "' | ! & ( ) : * <->", "\\", "👩‍👩‍👧", "שלום עולם", "x\u200by", "%_%", "a:*", "$1"]
)
def test_special_characters_in_a_query_have_no_special_meaning(
    stocked: "Shop", analyst: Connection, query: str
) -> None:
    stocked.cache(query)
    assert len(search(analyst, query=query, k=5)) == 5


def test_a_search_without_a_serving_model_raises_an_error(shop: "Shop") -> None:
    shop.run("update shop.model set status = 'building'")
    shop.run("select shop_private.serve_model()")
    with shop.database.connect(Role.ANALYST) as conn, pytest.raises(EncoderUnavailable, match="no model is serving"):
        search(conn, query="dark")
