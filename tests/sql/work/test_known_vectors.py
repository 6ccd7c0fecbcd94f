"""A stored vector is found by the hash of its image, so that another image with the same bytes can get this vector."""

from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text

from db.catalog.product import Image, Product
from db.roles import Role
from db.work import items as work
from db.work.items import ImageMetadata
from tests.support.shop import Worker, unit_vectors

if TYPE_CHECKING:
    from tests.support.shop import Shop


def encode(worker: Worker, sources: dict[str, bytes], seed: int = 1, dimension: int = 24) -> NDArray[np.float32]:
    """Stores a random vector for each pending image and returns the vectors in the order of the images' URIs. The
    parameter `sources` maps each URI to the SHA-256 hash of the image's bytes."""
    items = sorted(worker.claim("image", 10_000), key=lambda item: item.uri or "")
    vectors = unit_vectors(len(items), dimension, seed)
    hashes = [sources[item.uri or ""] for item in items]
    work.record_image_metadata(worker.conn, items, [ImageMetadata(each, 10, 10, "0" * 64) for each in hashes])
    work.complete(worker.conn, worker.id, worker.model_id, "image", items, hashes, vectors)
    return vectors


def named(*names: str) -> dict[str, bytes]:
    return {f"{name}-0.jpg": sha256(name.encode()).digest() for name in names}


def test_unknown_hashes_have_no_vectors(shop: "Shop") -> None:
    shop.add("a")
    worker = shop.worker()
    assert work.known_vectors(worker.conn, 1, [sha256(b"a").digest(), b""]) == {}
    assert work.known_vectors(worker.conn, 1, []) == {}


def test_known_vectors_are_returned_for_images_of_two_catalogs(shop: "Shop") -> None:
    shop.load(Product("a", "a", images=(Image("a-0.jpg"),)), into="other")
    shop.add("b")
    worker = shop.worker()
    vectors = encode(worker, named("a", "b"))
    asked = [sha256(name).digest() for name in (b"b", b"a", b"c", b"a")]
    known = work.known_vectors(worker.conn, 1, asked)
    assert set(known) == set(asked[:2])
    for source, vector in zip((asked[1], asked[0]), vectors, strict=True):
        assert known[source].dtype == np.float32
        assert (known[source] == vector.astype(np.float16).astype(np.float32)).all()


def test_a_known_vector_is_stored_bit_for_bit_for_a_second_image(shop: "Shop") -> None:
    shop.add("a")
    worker = shop.worker()
    encode(worker, named("a"))
    shop.add("copy")
    [source] = named("a").values()
    items = worker.claim("image")
    vector = work.known_vectors(worker.conn, 1, [source])[source]
    assert work.complete(worker.conn, worker.id, 1, "image", items, [source], vector[None]) == 1
    assert shop.value("select count(distinct embedding::text) from shop.toy_image") == 1


def test_vectors_of_another_model_or_a_retired_model_are_not_returned(two_models: "Shop") -> None:
    two_models.add("a")
    encode(two_models.worker(model_id=2), named("a"), dimension=40)
    conn = two_models.connect(Role.ENCODER)
    [source] = named("a").values()
    assert work.known_vectors(conn, 1, [source]) == {}
    assert work.known_vectors(conn, 2, [source])[source].shape == (40,)
    two_models.run("update shop.model set status = 'retired' where model_id = 2")
    assert work.known_vectors(conn, 2, [source]) == {}
    assert work.known_vectors(conn, 99, [source]) == {}


def test_the_stored_vector_of_an_image_is_not_returned_after_its_bytes_change(shop: "Shop") -> None:
    shop.add("a")
    worker = shop.worker()
    encode(worker, named("a"))
    new = sha256(b"new bytes behind the same name").digest()
    shop.run("update shop.product_image set sha256 = :new", new=new)
    assert work.known_vectors(worker.conn, 1, [new, *named("a").values()]) == {}


def test_a_lookup_of_known_vectors_uses_the_index_on_sha256_even_without_table_statistics(shop: "Shop") -> None:
    shop.add(*(f"p{n}" for n in range(300)))
    worker = shop.worker()
    same = sha256(b"no image yet").digest()
    encode(worker, {f"p{n}-0.jpg": same for n in range(300)})
    asked = [sha256(bytes([n % 256, n // 256])).digest() for n in range(511)]
    with shop.database.connect(Role.ENCODER) as conn, conn.begin():
        assert list(work.known_vectors(conn, 1, [*asked, same])) == [same]
        read = text(
            "select pg_stat_get_xact_numscans('shop.product_image'::regclass), "
            "pg_stat_get_xact_numscans('shop.product_image_sha256_idx'::regclass), "
            "pg_stat_get_xact_tuples_fetched('shop.product_image'::regclass)"
        )
        scans, lookups, rows = conn.execute(read).one()
    assert (scans, lookups) == (0, 512)
    assert rows <= 1  # 300 images have the hash `same`, but the lookup reads at most one of their rows
