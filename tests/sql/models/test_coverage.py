"""For each model that is not retired, shop.coverage counts each product in one of four states: searchable, waiting,
quarantined or without an image."""

import random
from typing import TYPE_CHECKING

from sqlalchemy import text

from db.catalog.product import Product
from db.lifecycle.serving import Coverage, coverage
from db.roles import Role

if TYPE_CHECKING:
    from tests.support.shop import Shop


def rows(shop: "Shop") -> list[Coverage]:
    with shop.database.connect(Role.ANALYST) as conn:
        return coverage(conn)


def test_each_state_of_a_product_has_its_own_column(shop: "Shop") -> None:
    shop.add("done", "half", "bad image", "bad title", "second image bad")
    shop.run(
        "insert into shop.product_image (product_id, position, uri) "
        "select shop.product_id(s), 1, 'https://cdn.example/1.jpg' from unnest(array['second image bad', 'half']) s"
    )
    worker = shop.worker()
    for part in ("title", "image"):
        for item in worker.claim(part):
            name = item.title.removeprefix("title of ")
            if (name, part) in (("bad image", "image"), ("bad title", "title")) or item.position == 1:
                worker.fail(item, part=part, final=True)
            elif (name, part) != ("half", "image"):
                worker.complete([item], part)
    shop.load(Product("none", "no image"))
    [row] = rows(shop)
    assert row == Coverage(
        catalog="main",
        model="toy",
        status="serving",
        products=6,
        searchable=2,  # the products `done` and `second image bad`
        waiting=1,
        quarantined=2,
        without_picture=1,
        words_only=3,  # the products `half`, `bad image` and `none`
    )
    assert shop.value("select count(*) from shop.searchable") == 2


def test_the_counts_of_coverage_add_up_to_the_number_of_products_after_random_changes(two_models: "Shop") -> None:
    chance = random.Random(4)
    shop = two_models
    for into in ("main", "outlet"):
        shop.load(
            *(Product(f"sku {n}", f"title {n}", images=_images(chance.randrange(3), n)) for n in range(40)),
            into=into,
        )
    workers = [shop.worker(model_id=model_id) for model_id in (1, 2) for _ in range(2)]
    for step in range(60):
        worker = chance.choice(workers)
        part = chance.choice(("title", "image"))
        items = worker.claim(part, chance.randrange(1, 12))
        act = chance.randrange(5)
        if act == 0 and items:
            worker.fail(items[0], part=part, final=bool(step % 2))
        elif act == 1:
            shop.run("update shop.product set title = title || '!' where sku = :sku", sku=f"sku {step % 40}")
        elif act == 2:
            shop.run("delete from shop.product_image where uri = :uri", uri=f"{step % 40}-0.jpg")
        elif items:
            dimension = 24 if worker.model_id == 1 else 40
            worker.complete(items, part, _vectors(len(items), dimension))
        if step % 10 == 0:
            _check_sums(shop)
    _check_sums(shop)
    for column in ("searchable", "waiting", "quarantined", "without_picture"):
        assert sum(getattr(row, column) for row in rows(shop)) > 0, f"no product was ever counted as {column}"


def _images(count: int, n: int) -> tuple:
    from db.catalog.product import Image

    return tuple(Image(f"{n}-{position}.jpg") for position in range(count))


def _vectors(count: int, dimension: int):
    import numpy as np

    return np.tile(np.eye(1, dimension, dtype=np.float32), (count, 1))


def _check_sums(shop: "Shop") -> None:
    products = dict(tuple(row) for row in shop.run("select catalog, count(*) from shop.product group by 1"))
    covered = rows(shop)
    assert {(row.catalog, row.model) for row in covered} == {(c, m) for c in products for m in ("toy", "wide")}
    for row in covered:
        assert row.products == products[row.catalog]
        assert row.searchable + row.waiting + row.quarantined + row.without_picture == row.products
        if row.model == "toy":
            searchable = shop.value("select count(*) from shop.searchable where catalog = :c", c=row.catalog)
            assert row.searchable == searchable
            by_image = "select count(distinct product_id) from shop.searchable_image where catalog = :c"
            assert row.products - row.words_only == shop.value(by_image, c=row.catalog)


def test_a_retired_model_is_not_listed(two_models: "Shop") -> None:
    two_models.add("a")
    two_models.run("update shop.model set status = 'retired' where name = 'wide'")
    assert [row.model for row in rows(two_models)] == ["toy"]


def test_coverage_and_quarantine_of_an_empty_shop_have_no_rows(shop: "Shop") -> None:
    assert rows(shop) == []
    with shop.database.connect(Role.ANALYST) as conn:
        assert conn.execute(text("select * from shop.quarantine")).all() == []
