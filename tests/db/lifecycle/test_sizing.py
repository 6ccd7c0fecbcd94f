"""Index parameters and server settings follow from the number of vectors and their dimension."""

import pytest

from db.lifecycle.sizing import MB, hnsw_bytes, suitable


@pytest.mark.parametrize(
    ("products", "parameters"),
    [(1_000, (16, 64)), (500_000, (16, 64)), (500_001, (24, 128)), (1_000_000, (24, 128)), (5_000_000, (32, 200))],
)
def test_a_larger_catalog_gets_a_larger_m_and_ef_construction(products: int, parameters: tuple[int, int]) -> None:
    suits = suitable(products, products // 2, 512)
    assert (suits.m, suits.ef_construction) == parameters
    assert suits.ef_construction >= 2 * suits.m  # pgvector refuses a smaller value


def test_the_sizes_are_those_of_measured_indexes() -> None:
    """An index of 100,000 vectors of 512 numbers, with m 16, takes 136 MB. An index over their bits takes 10 MB.

    While the index is built, its graph takes 1.7 kB of memory for each vector.
    """
    suits = suitable(100_000, 100_000, 512)
    assert suits.index_bytes / 2 == pytest.approx(130 * MB, rel=0.02)
    assert suits.bit_index_bytes / 2 == pytest.approx(9.9e6, rel=0.02)
    assert suits.maintenance_work_mem == pytest.approx(1.1 * 100_000 * 1700, rel=0.2)
    assert suits.shared_buffers == pytest.approx(1.2 * suits.index_bytes, rel=0.2)


@pytest.mark.parametrize(
    ("vectors", "m", "measured"),
    [(5_000, 16, 6_840_320), (50_000, 16, 68_296_704), (1_000_000, 24, 1_638_408_192)],
)
def test_the_size_of_an_index_is_computed_within_two_percent(vectors: int, m: int, measured: int) -> None:
    assert hnsw_bytes(vectors, 512, m) == pytest.approx(measured, rel=0.02)


def test_an_empty_catalog_gets_the_smallest_sizes() -> None:
    suits = suitable(0, 0, 512)
    assert (suits.m, suits.ef_construction, suits.index_bytes) == (16, 64, 0)
    assert (suits.maintenance_work_mem, suits.shared_buffers, suits.huge_pages) == (64 * MB, 256 * MB, None)


def test_huge_pages_hold_the_whole_shared_memory_of_a_large_catalog() -> None:
    suits = suitable(1_000_000, 1_000_000, 512)
    assert suits.huge_pages is not None
    assert suits.shared_buffers < suits.huge_pages * 2 * MB < 1.1 * suits.shared_buffers
