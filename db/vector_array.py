"""Sends a batch of vectors as one binary parameter of type halfvec[], whose bytes numpy writes.

Converting each vector in Python would take several times as long as the server takes to store the vector.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg.adapt import Dumper
from psycopg.pq import Format


@dataclass(frozen=True, slots=True)
class VectorArray:
    """An array of n float32 vectors, shape (n, dimension), which is sent in half precision."""

    vectors: NDArray[np.float32]


def register(connection: Any) -> None:
    """Let a psycopg connection send VectorArray. pgvector's types must be registered with the connection already."""
    halfvec = connection.adapters.types["halfvec"]

    class VectorArrayDumper(Dumper):
        format = Format.BINARY
        oid = halfvec.array_oid

        def dump(self, obj: VectorArray) -> bytes:
            return packed(obj.vectors, halfvec.oid)

    connection.adapters.register_dumper(VectorArray, VectorArrayDumper)


def packed(vectors: NDArray[np.float32], element_oid: int) -> bytes:
    """Encode PostgreSQL's binary array: a header, then each element's length and the bytes that halfvec_recv reads."""
    count, dimension = vectors.shape
    if count == 0:
        return np.array([0, 0, element_oid], dtype=">i4").tobytes()
    # The header has the number of dimensions, a flag for nulls, the type, the length and the first index.
    header = np.array([1, 0, element_oid, count, 1], dtype=">i4")
    layout = [("bytes", ">i4"), ("dimension", ">i2"), ("unused", ">i2"), ("components", ">f2", (dimension,))]
    elements = np.empty(count, dtype=layout)
    elements["bytes"] = 4 + 2 * dimension
    elements["dimension"] = dimension
    elements["unused"] = 0
    with np.errstate(over="ignore"):  # the server refuses infinity
        elements["components"] = vectors
    return header.tobytes() + elements.tobytes()
