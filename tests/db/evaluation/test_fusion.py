"""On small inputs, metrics and fusion give the values computed by hand. On random inputs, metrics, bootstrap intervals,
fusion and fits have the expected properties."""

import itertools
import math
import random
from collections.abc import Sequence
from uuid import UUID, uuid4

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.evaluation.fusion import LEGS, LEVELS, RRF_KS, Case, LegWeights, fit, fuse, in_dev_half, only
from db.evaluation.metrics import bootstrap, index_recall, ndcg_at_k, recall_at_k, reciprocal_rank

GRADES = {"a": 3, "b": 1, "c": 0, "d": 2}

KEYS = "abcdefghijklmnop"
rankings = st.lists(st.sampled_from(KEYS), unique=True)
judged = st.dictionaries(st.sampled_from(KEYS), st.integers(0, 3), min_size=1).filter(lambda one: any(one.values()))


# --- metrics


@pytest.mark.parametrize(
    ("ranked", "k", "expected"),
    [("abd", 3, 1), ("abd", 2, 2 / 3), ("xaxbxd", 4, 2 / 3), ("cx", 10, 0), ("", 10, 0)],
)
def test_recall_at_k_is_the_share_of_relevant_products_that_are_found_among_the_first_k(
    ranked: str, k: int, expected: float
) -> None:
    assert recall_at_k(list(ranked), GRADES, k) == pytest.approx(expected)


@pytest.mark.parametrize(("ranked", "expected"), [("axb", 1), ("xcb", 1 / 3), ("xc", 0), ("", 0)])
def test_reciprocal_rank_is_one_divided_by_the_rank_of_the_first_relevant_product(ranked: str, expected: float) -> None:
    assert reciprocal_rank(list(ranked), GRADES) == pytest.approx(expected)


def test_ndcg_of_a_list_equals_the_value_computed_by_hand() -> None:
    # The gain of a product is 2^grade - 1: 7 for a, 3 for d, 1 for b, 0 for x. The best order is a, d, b.
    found = 1 / math.log2(2) + 7 / math.log2(4)
    best = 7 / math.log2(2) + 3 / math.log2(3) + 1 / math.log2(4)
    assert ndcg_at_k(list("bxa"), GRADES) == pytest.approx(found / best)
    assert found / best == pytest.approx(4.5 / 9.392789260714372)


def test_ndcg_can_be_one_even_with_more_than_k_relevant_products() -> None:
    grades = dict.fromkeys(KEYS, 1)
    assert ndcg_at_k(list(KEYS), grades, 10) == pytest.approx(1)
    assert recall_at_k(list(KEYS), grades, 10) == pytest.approx(10 / len(KEYS))


@given(rankings, judged, st.integers(1, 20))
def test_every_metric_lies_between_0_and_its_value_for_the_best_order(
    ranked: list[str], grades: dict[str, int], k: int
) -> None:
    best = sorted(grades, key=lambda key: -grades[key])
    for metric in (
        lambda order: recall_at_k(order, grades, k),
        lambda order: reciprocal_rank(order, grades),
        lambda order: ndcg_at_k(order, grades, k),
    ):
        assert 0 <= metric(ranked) <= metric(best) + 1e-12 <= 1 + 1e-9
    assert ndcg_at_k(best, grades, k) == pytest.approx(1)


@given(rankings, judged, st.data())
def test_moving_a_better_product_up_never_lowers_a_metric(
    ranked: list[str], grades: dict[str, int], data: st.DataObject
) -> None:
    if len(ranked) < 2:
        return
    upper = data.draw(st.integers(0, len(ranked) - 2))
    lower = data.draw(st.integers(upper + 1, len(ranked) - 1))
    if grades.get(ranked[lower], 0) < grades.get(ranked[upper], 0):
        return
    better = list(ranked)
    better[upper], better[lower] = better[lower], better[upper]
    assert ndcg_at_k(better, grades) >= ndcg_at_k(ranked, grades) - 1e-12
    assert recall_at_k(better, grades, 5) >= recall_at_k(ranked, grades, 5)
    assert reciprocal_rank(better, grades) >= reciprocal_rank(ranked, grades)


@given(rankings, judged)
def test_recall_never_falls_as_k_grows(ranked: list[str], grades: dict[str, int]) -> None:
    by_k = [recall_at_k(ranked, grades, k) for k in range(1, 20)]
    assert by_k == sorted(by_k)


def test_index_recall_counts_equally_distant_products_as_interchangeable() -> None:
    assert index_recall([0.1, 0.2, 0.3], [0.1, 0.2, 0.3]) == 1
    assert index_recall([0.1, 0.3, 0.5], [0.1, 0.2, 0.3]) == pytest.approx(2 / 3)
    assert index_recall([0.1], [0.1, 0.2, 0.3]) == pytest.approx(1 / 3)
    assert index_recall([0.2, 0.2], [0.2, 0.2]) == 1
    assert index_recall([], []) == 1


# --- bootstrap


def test_a_bootstrap_interval_is_close_to_the_normal_interval_of_the_mean() -> None:
    values = np.random.default_rng(3).normal(5, 2, size=(400, 1))
    [interval] = bootstrap(values)
    half = 1.96 * values.std() / math.sqrt(len(values))
    assert interval.value == pytest.approx(values.mean())
    assert interval.low == pytest.approx(values.mean() - half, abs=0.03)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.03)


def test_a_95_percent_interval_covers_the_true_mean_in_95_percent_of_samples() -> None:
    rng = np.random.default_rng(11)
    hits = 0
    for trial in range(300):
        [one] = bootstrap(rng.exponential(1.0, size=(80, 1)), resamples=600, seed=trial)
        hits += one.low <= 1 <= one.high
    assert 0.90 <= hits / 300 <= 0.98


def test_equal_values_give_equal_intervals_and_each_column_has_its_own_interval() -> None:
    values = np.random.default_rng(1).random((50, 3))
    assert bootstrap(values) == bootstrap(values)
    for column, whole in enumerate(bootstrap(values)):
        [alone] = bootstrap(values[:, column : column + 1])
        assert (alone.value, alone.low, alone.high) == pytest.approx((whole.value, whole.low, whole.high))


def test_a_paired_difference_can_exclude_zero_although_the_two_intervals_overlap() -> None:
    rng = np.random.default_rng(2)
    hard = rng.random(300)  # the difference between queries is far larger than the difference between systems
    [difference] = bootstrap(((hard + 0.02 + rng.normal(0, 0.01, 300)) - hard)[:, None])
    assert difference.low > 0
    [before, now] = bootstrap(np.column_stack([hard, hard + 0.02]))
    assert now.low < before.high


def test_the_interval_of_one_query_has_zero_width() -> None:
    [interval] = bootstrap(np.array([[0.25]]))
    assert (interval.value, interval.low, interval.high) == (0.25, 0.25, 0.25)


# --- fusion


def ids(count: int, seed: int = 0) -> list[UUID]:
    rng = random.Random(seed)
    return [UUID(int=rng.getrandbits(128)) for _ in range(count)]


def test_a_fused_score_is_the_sum_of_weight_divided_by_rrf_k_plus_rank() -> None:
    a, b, c = ids(3)
    # The scores are 1/61 for a, 1/62 + 2/61 for b and 2/62 for c.
    assert fuse({"image": [a, b], "title": [b, c]}, LegWeights(1, 2, 1)) == [b, c, a]
    assert 1 / 61 < 2 / 62 < 1 / 62 + 2 / 61
    # With rrf_k 1, the scores are 1/2 for a and 1/3 for b. The title leg has weight 0, so c is not found.
    assert fuse({"image": [a, b], "title": [b, c]}, LegWeights(1, 0, 1, rrf_k=1)) == [a, b]


def test_a_leg_of_weight_0_adds_no_products() -> None:
    a, b = ids(2)
    assert fuse({"image": [a], "keyword": [b]}, only("keyword")) == [b]


def test_products_with_equal_scores_are_ordered_by_id() -> None:
    a, b = ids(2)
    assert fuse({"image": [a], "title": [b]}, LegWeights()) == sorted([a, b])


@given(st.permutations(range(8)), st.permutations(range(8)), st.floats(0.1, 10))
def test_only_the_ratio_of_the_weights_matters(one: Sequence[int], other: Sequence[int], factor: float) -> None:
    keys = ids(8)
    lists = {"image": [keys[n] for n in one], "title": [keys[n] for n in other]}
    scaled = fuse(lists, LegWeights(0.3 * factor, 0.7 * factor, 0))
    assert scaled == fuse(lists, LegWeights(0.3, 0.7, 0))


# --- fitting


def case(rng: random.Random, good: str) -> Case:
    """Returns a query for which leg `good` ranks the relevant products first and the other legs rank at random."""
    keys = [UUID(int=rng.getrandbits(128)) for _ in range(30)]
    lists = {leg: rng.sample(keys, 30) for leg in LEGS}
    lists[good] = keys
    return Case(lists, dict.fromkeys(keys[:3], 2))


def mean_ndcg(cases: Sequence[Case], weights: LegWeights) -> float:
    return float(np.mean([ndcg_at_k(fuse(each.lists, weights), each.grades) for each in cases]))


@pytest.mark.parametrize("good", LEGS)
def test_the_only_informative_leg_gets_the_largest_weight(good: str) -> None:
    rng = random.Random(5)
    weights, ndcg = fit([case(rng, good) for _ in range(30)])
    assert getattr(weights, good) == 1
    assert ndcg == pytest.approx(1)


def test_two_legs_that_are_right_for_different_queries_share_the_weight() -> None:
    rng = random.Random(6)
    weights, _ = fit([case(rng, leg) for _ in range(20) for leg in ("image", "keyword")])
    assert min(weights.image, weights.keyword) > weights.title
    cases = [case(rng, leg) for _ in range(40) for leg in ("image", "keyword")]
    assert mean_ndcg(cases, weights) > max(mean_ndcg(cases, only(leg)) for leg in LEGS)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 1000))
def test_no_weights_of_a_coarser_grid_have_a_higher_ndcg_than_the_fitted_weights(seed: int) -> None:
    rng = random.Random(seed)
    cases = [case(rng, rng.choice(LEGS)) for _ in range(6)]
    weights, ndcg = fit(cases)
    assert mean_ndcg(cases, weights) == pytest.approx(ndcg, abs=1e-9)
    for rrf_k, *others in itertools.product(RRF_KS, LEVELS[::3], LEVELS[::3]):
        assert mean_ndcg(cases, LegWeights(*others, 1, rrf_k=rrf_k)) <= ndcg + 1e-9


def test_legs_with_equal_lists_are_fitted_to_the_default_weights() -> None:
    [only_one] = ids(1)
    weights, _ = fit([Case({leg: [only_one] for leg in LEGS}, {only_one: 1})])
    assert weights == LegWeights()


def test_a_fit_accepts_a_query_whose_relevant_product_no_leg_finds() -> None:
    [missing] = ids(1)
    assert fit([Case({leg: [] for leg in LEGS}, {missing: 1})])[1] == 0


def test_the_id_of_a_query_decides_whether_it_is_in_the_dev_half() -> None:
    queries = [uuid4() for _ in range(2000)]
    dev = sum(in_dev_half(query) for query in queries)
    assert 850 < dev < 1150
    assert [in_dev_half(query) for query in queries] == [in_dev_half(UUID(str(query))) for query in queries]
