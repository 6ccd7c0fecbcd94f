"""Runs the queries on other vector indexes over the same vectors. The indexes are built once and kept beside the
database.

hnswlib and faiss run in this process and know no attributes: they get the set of matching products, and the time to
compute this set is not measured. hnswlib calls a Python function for every product that it visits, which takes time
that a C++ program would not need. LanceDB evaluates the condition itself, and has indexes on price and product type.
LanceDB uses all cores for a query, and hnswlib and faiss use one core.
"""

import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.search.data import DIMENSION, Catalog
from benchmarks.search.postgres import Filter
from benchmarks.search.timing import Questions, Strategy

M, EF_CONSTRUCTION = 16, 200


class Peer(ABC):
    """Another vector index. `build_seconds` is None if the index existed already."""

    name: str
    package: str
    build_seconds: float | None = None

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        path = folder / self.package
        self._catalog = catalog
        if not path.exists():
            unfinished = path.with_suffix(".new")
            shutil.rmtree(unfinished, ignore_errors=True)
            started = time.perf_counter()
            self._build(unfinished)
            self.build_seconds = time.perf_counter() - started
            print(f"{self.name}: {self.build_seconds:.0f} s", flush=True)
            unfinished.rename(path)
        self._open(path)

    @abstractmethod
    def _build(self, path: Path) -> None: ...

    @abstractmethod
    def _open(self, path: Path) -> None: ...

    @abstractmethod
    def strategy(self, questions: Questions, ef: int, filter: Filter) -> Strategy: ...  # noqa: A002  the usual name


class Hnswlib(Peer):
    name = package = "hnswlib"

    def _index(self) -> Any:
        import hnswlib

        return hnswlib.Index("ip", DIMENSION)  # inner product, which orders unit vectors like cosine distance

    def _build(self, path: Path) -> None:
        index = self._index()
        index.init_index(self._catalog.rows, M=M, ef_construction=EF_CONSTRUCTION)
        index.add_items(self._catalog.images.astype(np.float32))
        index.save_index(str(path))

    def _open(self, path: Path) -> None:
        self._loaded = self._index()
        self._loaded.load_index(str(path))
        self._loaded.set_num_threads(1)

    def strategy(self, questions: Questions, ef: int, filter: Filter) -> Strategy:  # noqa: A002
        index, queries, k = self._loaded, questions.queries, questions.needed
        allowed = questions.matching.tolist().__getitem__ if questions.matching is not None else None

        def ask(number: int) -> Any:
            index.set_ef(ef)
            try:
                return index.knn_query(queries[number], k, filter=allowed)[0][0]
            except RuntimeError:  # raised when hnswlib finds fewer than k products
                return ()

        return Strategy(f"hnswlib, ef {ef}", questions, ask)


class Faiss(Peer):
    name, package = "faiss HNSW", "faiss"

    def _build(self, path: Path) -> None:
        faiss: Any = import_module(self.package)  # its types are incomplete

        index = faiss.IndexHNSWFlat(DIMENSION, M, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = EF_CONSTRUCTION
        index.add(self._catalog.images.astype(np.float32))
        faiss.write_index(index, str(path))

    def _open(self, path: Path) -> None:
        faiss: Any = import_module(self.package)  # its types are incomplete

        faiss.omp_set_num_threads(1)
        self._loaded = faiss.read_index(str(path))

    def strategy(self, questions: Questions, ef: int, filter: Filter) -> Strategy:  # noqa: A002
        faiss: Any = import_module(self.package)  # its types are incomplete

        index, queries, k = self._loaded, questions.queries, questions.needed
        chosen = {}
        if questions.matching is not None:
            chosen["sel"] = faiss.IDSelectorBitmap(np.packbits(questions.matching, bitorder="little"))
        parameters = faiss.SearchParametersHNSW(efSearch=ef, **chosen)

        def ask(number: int) -> Any:
            return index.search(queries[number : number + 1], k, params=parameters)[1][0]

        return Strategy(f"faiss HNSW, ef {ef}", questions, ask, lambda found: [n for n in found if n >= 0])


class LanceDB(Peer):
    name, package = "LanceDB", "lancedb"

    def _build(self, path: Path) -> None:
        import lancedb
        import pyarrow as pa
        from lancedb.index import Bitmap, BTree, HnswSq

        catalog = self._catalog
        flat = pa.array(catalog.images.astype(np.float32).ravel())
        rows = {
            "number": pa.array(np.arange(catalog.rows)),
            "price": pa.array(catalog.prices / 100),
            "weight": pa.array(catalog.weights / 10),
            "product_type": pa.array(np.array(catalog.categories)[catalog.category]),
            "vector": pa.FixedSizeListArray.from_arrays(flat, DIMENSION),
        }
        table = lancedb.connect(path).create_table("product", pa.table(rows))
        table.create_index(
            "vector", config=HnswSq(distance_type="cosine", num_partitions=1, m=M, ef_construction=EF_CONSTRUCTION)
        )
        table.create_index("price", config=BTree())
        table.create_index("product_type", config=Bitmap())

    def _open(self, path: Path) -> None:
        import lancedb

        self._loaded = lancedb.connect(path).open_table("product")

    def strategy(self, questions: Questions, ef: int, filter: Filter) -> Strategy:  # noqa: A002
        table, queries, k = self._loaded, questions.queries, questions.needed

        def ask(number: int) -> Any:
            # The index stores each number in 8 bits. So a search reads four times as many candidates as results, and
            # compares the candidates again by their exact vectors.
            search = table.search(queries[number]).distance_type("cosine").ef(max(ef, 4 * k)).refine_factor(4).limit(k)
            if filter.lance:
                search = search.where(filter.lance, prefilter=True)
            return search.select(["number", "_distance"]).to_arrow()

        return Strategy(f"LanceDB, ef {ef}", questions, ask, lambda found: found["number"].to_pylist())


PEERS: Mapping[str, type[Peer]] = {kind.package: kind for kind in (Hnswlib, Faiss, LanceDB)}


def peers(catalog: Catalog, folder: Path, kinds: Sequence[type[Peer]] = tuple(PEERS.values())) -> list[Peer]:
    """Returns the peers whose packages are installed, and prints the names of the peers whose packages are missing."""
    for kind in kinds:
        if find_spec(kind.package) is None:
            print(f'{kind.name} is not measured, because it is not installed (pip install "windowshop[bench]")')
    return [kind(catalog, folder) for kind in kinds if find_spec(kind.package) is not None]
