"""What a change of the catalog puts on the work list, whoever makes it."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.shop import Shop

pytestmark = pytest.mark.usefixtures("encoded")


@pytest.fixture
def encoded(shop: "Shop") -> None:
    shop.add("a", image_count=2)
    shop.encode_all()
    assert shop.work() == []


def test_a_new_product_and_its_pictures_are_listed(shop: "Shop") -> None:
    shop.add("b", image_count=2)
    assert shop.work() == [
        ("b", "image", 0, "pending"),
        ("b", "image", 1, "pending"),
        ("b", "title", 0, "pending"),
    ]


def test_a_changed_title_lists_the_title_only(shop: "Shop") -> None:
    shop.run("update shop.product set title = 'another'")
    assert shop.work() == [("a", "title", 0, "pending")]


def test_a_title_set_to_what_it_was_lists_nothing(shop: "Shop") -> None:
    shop.run("update shop.product set title = title")
    shop.run("update shop.product_image set uri = uri, image_root_id = image_root_id")
    assert shop.work() == []


@pytest.mark.parametrize(
    "change",
    [
        "price = 1",
        "description = 'longer'",
        "attributes = '{\"a\": 1}'",
        "availability = 'out_of_stock'",
        "product_type = 'bags', brand = 'x', updated_at = now()",
    ],
)
def test_no_other_column_lists_anything(shop: "Shop", change: str) -> None:
    shop.run(f"update shop.product set {change}")
    assert shop.work() == []


def test_a_replaced_picture_lists_that_picture_only(shop: "Shop") -> None:
    shop.run("update shop.product_image set uri = 'another.jpg' where position = 1")
    assert shop.work() == [("a", "image", 1, "pending")]


def test_a_picture_moved_to_another_folder_is_listed(shop: "Shop") -> None:
    shop.run("update shop.product_image set image_root_id = shop_private.image_root_id('/other') where position = 0")
    assert shop.work() == [("a", "image", 0, "pending")]


def test_what_an_encoder_writes_about_a_picture_lists_nothing(shop: "Shop") -> None:
    shop.run("update shop.product_image set width = 1, height = 1, sha256 = sha256('x')")
    assert shop.work() == []


def test_a_deleted_picture_takes_its_work_and_its_vector_along(shop: "Shop") -> None:
    shop.run("update shop.product_image set uri = 'another.jpg'")
    shop.run("delete from shop.product_image where position = 1")
    assert shop.work() == [("a", "image", 0, "pending")]
    assert shop.run("select position from shop.toy_image") == [(0,)]


def test_a_deleted_product_takes_everything_along(shop: "Shop") -> None:
    shop.run("update shop.product set title = 'another'")
    shop.run("update shop.product_image set uri = 'another.jpg'")
    shop.run("delete from shop.product")
    for table in ("shop.product_image", "shop.toy_image", "shop.toy_title", "shop_private.work"):
        assert shop.value(f"select count(*) from {table}") == 0, table


def test_a_retired_model_gets_no_work(shop: "Shop") -> None:
    shop.run("update shop.model set status = 'retired'")
    shop.add("b")
    shop.run("update shop.product set title = 'another'")
    assert shop.work() == []


def test_every_model_that_is_kept_current_gets_its_own(two_models: "Shop") -> None:
    two_models.add("b", image_count=0)
    assert two_models.run("select model_id from shop_private.work order by 1") == [(1,), (2,)]


def test_a_failed_title_that_is_changed_starts_over(shop: "Shop") -> None:
    shop.run("update shop.product set title = 'bad'")
    worker = shop.worker()
    worker.fail(worker.claim()[0], final=True)
    shop.run("update shop.product set title = 'good'")
    [row] = shop.run("select state::text, solo, attempts, error, worker_id from shop_private.work")
    assert tuple(row) == ("pending", 0, 0, None, None)
