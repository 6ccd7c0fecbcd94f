"""Defines the constants of walks through an HNSW index from several starts (see constants.py).

A walk is a scan near another vector than the query. docs/glossary.md explains starts, mixes and far filters.
"""

from db.functions.constant import Constant

STARTS = (
    Constant(
        "start_candidates",
        200,
        "candidates",
        "candidates of each walk; walks of 100 find 2 % fewer of the nearest products",
    ),
    Constant(
        "start_pull", 0.3, "x query", "moves a start towards the query; 0 moves too little, 1 leaves the start's region"
    ),
    Constant(
        "start_rounds", 4, "rounds", "largest number of rounds of walks; later rounds would change hardly anything"
    ),
    Constant("start_count", 4, "walks", "largest number of walks of a later round"),
    Constant("start_distance", 0.2, "cosine distance", "two starts whose distance is smaller lie in the same region"),
    Constant(
        "far_compare_limit",
        250_000,
        "matches",
        "compare_limit under a far filter; comparing 200,000 takes as long as walks, and finds all",
    ),
    Constant(
        "far_walk_candidates",
        50_000,
        "candidates",
        "a comparison with at most this estimated cost takes no longer than walks",
    ),
    Constant(
        "far_first_pull",
        0.8,
        "x query",
        "start_pull under a far filter in the first round; .3 finds a sixth fewer products",
    ),
    Constant(
        "far_pull",
        0.5,
        "x query",
        "start_pull under a far filter in later rounds; .8 again would find fewer new products",
    ),
    Constant(
        "far_first_count", 48, "walks", "walks of the first round under a far filter; its nearest matches lie far apart"
    ),
    Constant(
        "far_start_count",
        32,
        "walks",
        "start_count under a far filter; earlier rounds have found most of the nearest matches",
    ),
    Constant(
        "far_start_distance",
        0.1,
        "cosine distance",
        "start_distance under a far filter; a smaller distance allows more starts",
    ),
    Constant("start_choice", 150, "products", "number of nearest products from which the next starts are chosen"),
    Constant("start_sample", 12_000, "matches", "size of the sample from which starts under a far filter are chosen"),
    Constant("start_sample_most", 20_000, "products", "largest number of products that are read for this sample"),
    Constant("shift", 0.85, "x direction", "shifts the query to the matches; half of the walk's candidates then match"),
    Constant("shift_candidates", 600, "candidates", "candidates of the walk to the shifted query"),
    Constant("shift_matches", 10, "matches", "number of nearest matches whose mean the query is shifted to"),
    Constant("shift_neighbours", 40, "products", "number of neighbours whose mean the query is shifted from"),
    Constant(
        "checked_sample", 3000, "vectors", "sample that shows what a scan has missed, if the index misses its target"
    ),
    Constant("checked_results", 10, "results", "number of first results among which a missed product counts"),
)
