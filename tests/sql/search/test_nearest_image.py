"""On the routes hnsw and exact, each row of a search has the image of its product that is nearest to the query."""

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
from sqlalchemy import Connection, text

from db.engine import Database
from tests.support.large_catalog import QUERY, calibration, query_vector, vectors

IMAGES = 8
NEAREST = 400  # the number of products near the query that get further images


@pytest.fixture
def many_images(large: Database) -> Iterator[Connection]:
    """Yields a connection to a catalog in which the 400 products nearest to the query have 8 images each. The stored
    calibration makes index scans short."""
    order = np.argsort(-vectors(0) @ query_vector())[:NEAREST] + 1
    random = np.random.default_rng(3)
    images = query_vector() + 0.4 * random.standard_normal((NEAREST * (IMAGES - 1), len(query_vector())))
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    with large.connect(None) as conn, conn.begin() as transaction:
        conn.execute(
            text(
                "with near as (select shop.product_id('sku ' || n) as product_id, i, position from "
                "unnest(cast(:numbers as integer[])) with ordinality u(n, i), generate_series(1, 7) position), "
                "added as (insert into shop.product_image (product_id, position, uri) "
                "select product_id, position, 'https://cdn.example/more' from near) "
                "insert into shop.toy_image (product_id, position, embedding, source) "
                "select n.product_id, n.position, cast(v.vector as halfvec), 'source' from near n "
                "join unnest(cast(:vectors as text[])) with ordinality v(vector, place) "
                "on v.place = (n.i - 1) * 7 + n.position"
            ),
            {"numbers": order.tolist(), "vectors": [str(vector.tolist()) for vector in images]},
        )
        conn.exec_driver_sql(calibration(ef_search=10, slack=0.0025))
        yield conn
        transaction.rollback()


def test_each_row_reports_the_nearest_image_of_its_product(many_images: Connection) -> None:
    search = text(
        "select r.rank, r.image_position, r.image_distance, n.position, n.distance "
        "from shop.search(:query, filter => :filter, k => 40, title_weight => 0, keyword_weight => 0, "
        "route => :route) r, lateral (select v.position, v.embedding <=> shop.clip_text(:query) as distance "
        "from shop.image_vector v where v.product_id = r.product_id order by 2, 1 limit 1) n order by r.rank"
    )
    for route, filter_ in product(("hnsw", "exact"), (None, '{"price": {"lt": 120}}')):
        rows = many_images.execute(search, {"query": QUERY, "filter": filter_, "route": route}).all()
        assert len(rows) == 40, (route, filter_)
        assert [row.image_position for row in rows] == [row.position for row in rows], (route, filter_)
        distances = [row.image_distance for row in rows]
        assert distances == pytest.approx([row.distance for row in rows]), (route, filter_)
        assert distances == sorted(distances), (route, filter_)
