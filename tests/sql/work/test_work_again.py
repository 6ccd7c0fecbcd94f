"""Chosen products are put on the work list again, although neither their titles nor their images changed."""

from typing import TYPE_CHECKING

import pytest

from db.catalog.product import Image, Product
from db.errors import StatementRefused
from db.work.again import encode_again

if TYPE_CHECKING:
    from tests.support.shop import Shop


@pytest.fixture(autouse=True)
def encoded_products(shop: "Shop") -> None:
    shop.load(Product("a", "title", brand="Acme", images=(Image("a.jpg"), Image("b.jpg"))))
    shop.load(Product("a", "title", images=(Image("https://cdn.example/a.jpg"),)), into="bags")
    shop.encode_all()
    # encode_all does not encode the image at a web address, so its work item is deleted here.
    shop.run("delete from shop_private.work")
    shop.run("update shop.product_image set sha256 = sha256('x')")


def test_all_products_are_put_on_the_work_list(shop: "Shop") -> None:
    assert encode_again(shop.database, [1], None, None) == 5
    assert shop.value("select count(*) from shop_private.work where state = 'pending'") == 5
    assert shop.run("select host from shop_private.work where host is not null") == [("cdn.example",)]
    assert shop.value("select count(*) from shop.toy_title") == 2  # the old vectors stay until the new ones are stored


def test_images_lose_their_content_hash_so_that_no_stored_vector_is_reused(shop: "Shop") -> None:
    encode_again(shop.database, [1], "bags", None)
    assert shop.run("select count(sha256), count(*) from shop.product_image") == [(2, 3)]


@pytest.mark.parametrize(
    ("catalog", "where", "count"),
    [
        ("bags", None, 2),
        ("main", "brand = 'Acme'", 3),
        ("bags", "brand = 'Acme'", 0),
        (None, "brand is null -- or true", 2),
        (None, "title like '{%' or price is null", 5),
        ("nobody", None, 0),
    ],
)
def test_a_catalog_and_a_condition_choose_the_products(
    shop: "Shop", catalog: str | None, where: str | None, count: int
) -> None:
    assert encode_again(shop.database, [1], catalog, where) == count


@pytest.mark.parametrize("where", ["colour = 'red'", "true); delete from shop.product; select (true", "1 ="])
def test_an_invalid_condition_raises_an_error_that_names_the_option_and_changes_nothing(
    shop: "Shop", where: str
) -> None:
    with pytest.raises(StatementRefused, match="--where"):
        encode_again(shop.database, [1], None, where)
    assert shop.value("select count(*) from shop.product") == 2
    assert shop.work() == []
