"""Fills a catalog with 20,000 products and known vectors. Filling takes seconds, because triggers are off and indexes
are built last."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import psycopg
from numpy.typing import NDArray

from db.engine import Database

PRODUCTS, CLUSTERS, DIMENSION = 20_000, 50, 24
QUERY = "bag"  # the query cache has a vector of this text; the vector is near the products of CLUSTER
CLUSTER = 7


def vectors(seed: int, products: int = PRODUCTS) -> NDArray[np.float32]:
    """Returns unit vectors around 50 centres, because the embeddings of a catalog are clustered too. The shape is
    (products, 24), and row n - 1 belongs to product n."""
    centres = np.random.default_rng(0).standard_normal((CLUSTERS, DIMENSION))
    noise = 0.4 * np.random.default_rng(seed + 1).standard_normal((products, DIMENSION))
    made = centres[np.arange(products) % CLUSTERS] + noise
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def query_vector() -> NDArray[np.float32]:
    made = np.random.default_rng(0).standard_normal((CLUSTERS, DIMENSION))[CLUSTER]
    made = made + 0.3 * np.random.default_rng(99).standard_normal(DIMENSION)
    return (made / np.linalg.norm(made)).astype(np.float32)


def product_id(sku: str) -> str:
    return hashlib.sha256(f"main\x1f{sku}".encode()).hexdigest()[:32]


def fill(database: Database, products: int = PRODUCTS) -> None:
    """Insert the products. Product n has SKU 'sku n', price (n * 7919) mod 160 and one of 200 words in its title. Each
    brand is one cluster, so the products of a brand are neighbours."""
    address = database.write.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as conn:
        conn.execute("set session_replication_role = replica")
        conn.execute("insert into shop.catalog (catalog) values ('main')")
        conn.execute(
            "insert into shop.product (product_id, sku, title, product_type, price, brand, attributes) "
            "select shop.product_id('sku ' || n), 'sku ' || n, 'title word' || n %% 200 || ' number' || n, "
            "case when n %% 2000 = 0 then 'rare' else 'type ' || n %% 4 end, (n * 7919) %% 160, 'brand ' || n %% {c}, "
            "jsonb_build_object('weight', n %% 1000) from generate_series(1, %s) n".replace("{c}", str(CLUSTERS)),
            [products],
        )
        conn.execute(
            "insert into shop.product_image (product_id, position, uri) "
            "select product_id, 0, 'https://cdn.example/' || sku from shop.product"
        )
        indexes = conn.execute(
            "select indexdef from pg_indexes where indexname like 'toy_%_hnsw' order by 1"
        ).fetchall()
        assert len(indexes) == 2
        conn.execute("drop index shop.toy_image_hnsw, shop.toy_title_hnsw")
        for seed, (table, position) in enumerate((("toy_image", "position, "), ("toy_title", ""))):
            with conn.cursor().copy(f"copy shop.{table} (product_id, {position}source, embedding) from stdin") as copy:
                for n, vector in enumerate(vectors(seed, products), 1):
                    copy.write_row(
                        [product_id(f"sku {n}"), *([0] if position else []), b"source", str(vector.tolist())]
                    )
        for (definition,) in indexes:
            conn.execute(definition)
        conn.execute(
            "insert into shop_private.query_embedding (model_id, key, query, embedding) "
            "values (1, sha256(convert_to('t' || %(query)s, 'UTF8')), %(query)s, cast(%(vector)s as text)::halfvec)",
            {"query": QUERY, "vector": str(query_vector().tolist())},
        )
        conn.commit()
        conn.autocommit = True
        conn.execute("vacuum analyze")


def calibration(**changed: float) -> str:
    """Returns the statement that stores a calibration for the products of `fill`. `changed` replaces its values."""
    row: dict[str, float | str] = {
        "model_id": 1, "products": PRODUCTS, "k": 10, "target_recall": 0.98, "recall": 0.99, "queries": 60,
        "query_kind": "'text'", "ef_search": 200, "slack": 0.02, "exact_us_per_row": 4, "hnsw_us_per_candidate": 8,
        "crossover_rows": 700, **changed,
    }  # fmt: skip
    return f"insert into shop.calibration ({', '.join(row)}) values ({', '.join(map(str, row.values()))})"


@contextmanager
def policy(database: Database, condition: str) -> Iterator[None]:
    """Enable row level security with this condition on shop.product until the context ends."""
    with database.connect(None) as conn:
        conn.exec_driver_sql(f"create policy narrow on shop.product using ({condition})")
        conn.exec_driver_sql("alter table shop.product enable row level security")
        conn.commit()
        try:
            yield
        finally:
            conn.exec_driver_sql("drop policy narrow on shop.product")
            conn.exec_driver_sql("alter table shop.product disable row level security")
            conn.commit()
