"""The named numbers of searches through an HNSW index over bits (see constants.py)."""

from db.functions.constant import Constant

BITS = (
    Constant(
        "default_bit_factor",
        5,
        "x sqrt(vectors)",
        "candidates of an index over bits before a calibration; recall@10 was 0.97 with 1,500 of 100,000",
    ),
    Constant("bit_depth_factor", 5, "x depth", "least candidates of an index over bits for the products of a leg"),
    Constant(
        "bit_walk_factor", 4, "x candidates", "a walk through an index over bits takes so many times the candidates"
    ),
    Constant("bit_cut_batch", 200, "candidates", "batch of a cut by an index over bits, whose order is not exact"),
    Constant("bit_match_factor", 20, "x k", "candidates of an index over bits for the k nearest products of a match"),
)
