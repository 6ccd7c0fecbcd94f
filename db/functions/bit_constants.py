"""Defines the constants of searches through an index over bits (see constants.py)."""

from db.functions.constant import Constant

LIST_CANDIDATES = 12

BITS = (
    Constant(
        "default_bit_factor",
        5,
        "x sqrt(vectors)",
        "candidates of an index over bits before a calibration; with 1,500 candidates of 100,000 vectors, recall@10 "
        "was 0.97",
    ),
    Constant(
        "bit_list_candidates",
        LIST_CANDIDATES,
        "candidates",
        "number of candidates for which a leg reads one list: for 1,500 candidates of 100,000 vectors, 40 % of the "
        "lists; with 16 % of the lists, recall@10 stayed below 0.95",
    ),
    Constant(
        "bit_lists",
        100,
        "lists",
        "lists that a scan for a cut or a calibration reads at once; a scan for a match reads at most this many",
    ),
    Constant("bit_walk_lists", 10, "lists", "lists that a walk through an index over bits reads"),
    Constant(
        "bit_most_lists",
        32_768,
        "lists",
        "ivfflat.max_probes: the largest value of pgvector, so a scan may read all lists",
    ),
    Constant("bit_depth_factor", 5, "x depth", "a search takes at least this many candidates of an index over bits"),
    Constant("bit_walk_factor", 4, "x candidates", "candidates of a walk through an index over bits"),
    Constant(
        "bit_cut_batch",
        200,
        "candidates",
        "candidates that a cut by an index over bits takes at once; more than hnsw_batch, because the order of the "
        "index is not exact",
    ),
    Constant("bit_match_factor", 20, "x k", "candidates of an index over bits for the k nearest products of a match"),
)
