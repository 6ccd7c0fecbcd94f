"""Computes which index parameters and server settings suit a catalog of a given size."""

from dataclasses import dataclass
from math import ceil, sqrt

from sqlalchemy import Connection, text

MB = 1 << 20
PAGE = 8192 - 32  # bytes of a page that a vector index can use: without the header and the page's special space
HUGE_PAGE = 2 * MB

# (largest number of vectors, m, ef_construction). With pgvector's defaults (16, 64), a search by a text reached a
# recall@10 of .98 with an ef_search of 60 (25,000 products), of 100 (100,000) or of 250 (400,000). For .99, it needed
# an ef_search of 170 (100,000) or of 550 to 1000 (1,000,000), and pgvector allows at most 1000. So larger catalogs need
# a larger m, which is the number of links. The authors of HNSW call an m of 5 to 48 reasonable (Malkov and Yashunin,
# "Efficient and robust approximate nearest neighbor search using HNSW graphs", 2018). pgvector refuses an
# ef_construction below 2 m.
PARAMETERS = ((500_000, 16, 64), (2_000_000, 24, 128), (None, 32, 200))

# An index over bits has lists (IVFFlat) from LISTED_ROWS vectors on. The number of lists is the square root of the
# number of vectors, up to MOST_LISTS, so finding the nearest lists takes about as long as reading one. For a sample of
# 50 vectors a list, a build needs a maintenance_work_mem of 204 bytes times the square of the number of lists: 1.8 GB
# for MOST_LISTS.
LISTED_ROWS = 10_000
MOST_LISTS = 3_000

# The rows of a table are counted up to this number. Larger numbers are estimates, and the estimate for a table without
# statistics can be seven times too large.
COUNTED = 100_000

HUGE_FROM = 2048 * MB  # page tables of 4 kB pages take 1/512 of shared_buffers in every process: 4 MB for 2 GB


@dataclass(frozen=True, slots=True)
class Suitable:
    """The index parameters and server settings that suit the catalog. Sizes are in bytes."""

    m: int
    ef_construction: int
    index_bytes: int  # both HNSW indexes of a model
    bit_index_bytes: int  # both indexes of a model if they are over bits
    maintenance_work_mem: int  # holds the graph of the larger index during its build
    shared_buffers: int  # holds both indexes
    huge_pages: int | None  # number of huge pages of 2 MB for the shared memory; None: not worthwhile


@dataclass(frozen=True, slots=True)
class Present:
    """The server's settings. Sizes are in bytes."""

    maintenance_work_mem: int
    shared_buffers: int
    huge_pages: str  # on, off or unknown: whether the server uses huge pages


def suitable(images: int, titles: int, dimension: int) -> Suitable:
    """Return the values that suit a model of this dimension with these numbers of images and titles."""
    larger = max(images, titles)
    m, ef_construction = next((m, ef) for most, m, ef in PARAMETERS if most is None or larger <= most)
    index_bytes = sum(hnsw_bytes(vectors, dimension, m) for vectors in (images, titles))
    bit_index_bytes = sum(bits_bytes(vectors, dimension) for vectors in (images, titles))
    shared_buffers = max(256 * MB, _rounded(1.2 * index_bytes))
    huge = ceil((1.05 * shared_buffers + 64 * MB) / HUGE_PAGE) if shared_buffers >= HUGE_FROM else None
    return Suitable(
        m,
        ef_construction,
        index_bytes,
        bit_index_bytes,
        max(64 * MB, _rounded(1.1 * larger * _graph_bytes(dimension, m))),
        shared_buffers,
        huge,
    )


def hnsw_bytes(vectors: int, dimension: int, m: int) -> int:
    """Return the size of an HNSW index. A page holds complete vectors, each with 2 m links of 6 bytes."""
    return ceil(vectors / max(1, PAGE // (2 * dimension + 12 * m + 100))) * 8192


def bits_bytes(vectors: int, dimension: int) -> int:
    """Return the size of an IVFFlat index over bits, which has one bit for each number of a vector. The last page of
    each list is half empty on average, and each list has a centre."""
    lists, code = index_lists(vectors), ceil(dimension / 8)
    pages = vectors / (PAGE // (code + 20)) + lists / 2 + lists / (PAGE // (code + 32))
    return ceil(pages) * 8192


def index_lists(vectors: int) -> int:
    """Return the number of lists of an IVFFlat index."""
    return max(1, min(MOST_LISTS, round(sqrt(vectors))))


def _graph_bytes(dimension: int, m: int) -> int:
    """Return how many bytes a vector takes in the graph during a build: 1.7 kB for 512 numbers and m 16.

    A vector has 2 m links of 16 bytes.
    """
    return 2 * dimension + 32 * m + 160


def _rounded(size: float) -> int:
    return ceil(size / (64 * MB)) * 64 * MB


def present(conn: Connection) -> Present:
    row = conn.execute(
        text(
            "select pg_size_bytes(current_setting('maintenance_work_mem')), "
            "pg_size_bytes(current_setting('shared_buffers')), current_setting('huge_pages_status')"
        )
    ).one()
    return Present(*row)


def catalog_size(conn: Connection) -> tuple[int, int]:
    """Return the numbers of images and of products. Larger numbers than COUNTED are estimates."""
    row = conn.execute(
        text(
            "select case when images < :most then images else shop_private.row_estimate('shop.product_image') end, "
            "case when products < :most then products else shop_private.row_estimate('shop.product') end "
            "from (select count(*) as images from (select from shop.product_image limit :most) i) i, "
            "(select count(*) as products from (select from shop.product limit :most) p) p"
        ),
        {"most": COUNTED},
    ).one()
    return row[0], row[1]
