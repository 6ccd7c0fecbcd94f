"""A batch of vectors is sent as one binary parameter. The server reads the numbers of the batch in half precision."""

import numpy as np
import pytest
from sqlalchemy import text

from db.engine import Database
from db.errors import DatabaseError
from db.roles import Role
from db.vector_array import VectorArray


def stored(database: Database, vectors: np.ndarray) -> list[str]:
    with database.connect(Role.ENCODER) as conn:
        return list(
            conn.scalars(
                text("select v::text from unnest(:vectors) with ordinality as a(v, n) order by n"),
                {"vectors": VectorArray(vectors)},
            )
        )


@pytest.mark.parametrize("shape", [(1, 1), (3, 24), (700, 384), (2, 4000)])
def test_the_server_reads_the_values_of_the_numpy_array(database: Database, shape: tuple[int, int]) -> None:
    vectors = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    read = np.array([np.fromstring(row.strip("[]"), sep=",") for row in stored(database, vectors)], dtype=np.float16)
    np.testing.assert_array_equal(read, vectors.astype(np.float16))


def test_numpy_views_with_strides_are_sent_correctly(database: Database) -> None:
    vectors = np.arange(24, dtype=np.float32).reshape(4, 6)
    assert stored(database, vectors.T[::2]) == ["[0,6,12,18]", "[2,8,14,20]", "[4,10,16,22]"]


def test_an_empty_batch_is_sent_as_an_empty_array(database: Database) -> None:
    assert stored(database, np.empty((0, 24), dtype=np.float32)) == []


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6])
def test_nan_and_infinity_and_numbers_too_large_for_half_precision_are_refused(
    database: Database, value: float
) -> None:
    with pytest.raises(DatabaseError, match="NaN|nfinite"):
        stored(database, np.array([[1.0, value]], dtype=np.float32))
