"""A load notices that another file has replaced an image file, and puts the image on the work list again."""

from typing import TYPE_CHECKING

import pytest

from db.catalog import store as catalog
from db.catalog.product import Image, Product
from db.roles import Role

if TYPE_CHECKING:
    from tests.support.shop import Shop


def with_file(version: str | None, uri: str = "a.jpg") -> Product:
    return Product("a", "title", images=(Image("first.jpg"), Image(uri, file_version=version)))


@pytest.fixture
def encoded(shop: "Shop") -> None:
    shop.load(with_file("10 1 1"))
    shop.encode_all()
    shop.run("update shop.product_image set sha256 = sha256(uri::bytea), width = 1, height = 1, phash = b'1'::bit(64)")


@pytest.mark.usefixtures("encoded")
@pytest.mark.parametrize("version", ["11 1 1", "10 2 2", "10 1 2"])
def test_a_file_whose_size_or_time_has_changed_is_put_on_the_work_list_again(shop: "Shop", version: str) -> None:
    assert shop.load(with_file(version)).images == 1
    assert shop.work() == [("a", "image", 1, "pending")]
    row = "select sha256, width, phash, file_version from shop.product_image where position = 1"
    assert shop.run(row) == [(None, None, None, version)]


@pytest.mark.usefixtures("encoded")
@pytest.mark.parametrize("version", ["10 1 1", None])
def test_an_unchanged_file_and_a_file_that_the_loader_cannot_find_are_not_encoded_again(
    shop: "Shop", version: str | None
) -> None:
    assert shop.load(with_file(version)).images == 0
    assert shop.work() == []
    assert shop.value("select file_version from shop.product_image where position = 1") == "10 1 1"


@pytest.mark.usefixtures("encoded")
def test_an_encoded_image_without_a_version_gets_a_version_and_is_not_encoded_again(shop: "Shop") -> None:
    shop.run("update shop.product_image set file_version = null")
    assert shop.load(with_file("10 1 1")).images == 0
    assert shop.work() == []
    assert shop.value("select file_version from shop.product_image where position = 1") == "10 1 1"


def test_a_missing_file_is_put_on_the_work_list_again_by_a_load_that_finds_it(shop: "Shop") -> None:
    shop.load(with_file(None))
    worker = shop.worker()
    for item in worker.claim("image"):
        worker.fail(item, "No such file or directory", "image", final=True)
    shop.load(with_file("10 1 1"))
    assert ("a", "image", 1, "pending") in shop.work()
    assert ("a", "image", 0, "quarantined") in shop.work()


@pytest.mark.usefixtures("encoded")
def test_the_function_put_reports_a_replaced_file_as_an_update(shop: "Shop") -> None:
    with shop.database.connect(Role.APP) as conn, conn.begin():
        root = shop.value("select folder from shop_private.image_root")
        assert catalog.put(conn, [with_file("10 1 1")], image_root=root) == ["unchanged"]
        assert catalog.put(conn, [with_file("12 1 1")], image_root=root) == ["updated"]
