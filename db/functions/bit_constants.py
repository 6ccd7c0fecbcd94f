"""The named numbers of searches through an HNSW index over bits (see constants.py)."""

from db.functions.constant import Constant

BITS = (
    Constant(
        "default_bit_factor",
        5,
        "x sqrt(vectors)",
        "candidates of an index over bits before a calibration; recall@10 was 0.97 with 1,500 of 100,000",
    ),
    Constant("bit_depth_factor", 5, "x depth", "smallest number of candidates of an index over bits"),
    Constant("bit_walk_factor", 4, "x candidates", "candidates of a walk through an index over bits"),
    Constant(
        "bit_cut_batch",
        200,
        "candidates",
        "batch of a cut by an index over bits; larger, because the order of the index is not exact",
    ),
    Constant("bit_match_factor", 20, "x k", "candidates of an index over bits for the k nearest products of a match"),
)
