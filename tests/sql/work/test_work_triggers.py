"""Triggers create a work item if a title or an image is added or changes. A deletion of a product or an image deletes
the work items too."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.shop import Shop

pytestmark = pytest.mark.usefixtures("encoded_product")


@pytest.fixture
def encoded_product(shop: "Shop") -> None:
    shop.add("a", image_count=2)
    shop.encode_all()
    assert shop.work() == []


def test_a_new_product_and_its_images_get_work_items(shop: "Shop") -> None:
    shop.add("b", image_count=2)
    assert shop.work() == [
        ("b", "image", 0, "pending"),
        ("b", "image", 1, "pending"),
        ("b", "title", 0, "pending"),
    ]


def test_a_changed_title_creates_a_work_item_for_the_title_only(shop: "Shop") -> None:
    shop.run("update shop.product set title = 'another'")
    assert shop.work() == [("a", "title", 0, "pending")]


def test_an_update_to_the_same_value_creates_no_work_item(shop: "Shop") -> None:
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
def test_a_change_of_another_column_creates_no_work_item(shop: "Shop", change: str) -> None:
    shop.run(f"update shop.product set {change}")
    assert shop.work() == []


def test_a_replaced_image_creates_a_work_item_for_that_image_only(shop: "Shop") -> None:
    shop.run("update shop.product_image set uri = 'another.jpg' where position = 1")
    assert shop.work() == [("a", "image", 1, "pending")]


def test_an_image_that_moves_to_another_folder_gets_a_work_item(shop: "Shop") -> None:
    shop.run("update shop.product_image set image_root_id = shop_private.image_root_id('/other') where position = 0")
    assert shop.work() == [("a", "image", 0, "pending")]


def test_image_metadata_from_an_encoder_creates_no_work_item(shop: "Shop") -> None:
    shop.run("update shop.product_image set width = 1, height = 1, sha256 = sha256('x')")
    assert shop.work() == []


def test_deleting_an_image_deletes_its_work_item_and_vector(shop: "Shop") -> None:
    shop.run("update shop.product_image set uri = 'another.jpg'")
    shop.run("delete from shop.product_image where position = 1")
    assert shop.work() == [("a", "image", 0, "pending")]
    assert shop.run("select position from shop.toy_image") == [(0,)]


def test_deleting_a_product_deletes_its_images_vectors_and_work_items(shop: "Shop") -> None:
    shop.run("update shop.product set title = 'another'")
    shop.run("update shop.product_image set uri = 'another.jpg'")
    shop.run("delete from shop.product")
    for table in ("shop.product_image", "shop.toy_image", "shop.toy_title", "shop_private.work"):
        assert shop.value(f"select count(*) from {table}") == 0, table


def test_a_retired_model_gets_no_work_items(shop: "Shop") -> None:
    shop.run("update shop.model set status = 'retired'")
    shop.add("b")
    shop.run("update shop.product set title = 'another'")
    assert shop.work() == []


def test_each_model_gets_its_own_work_item_for_a_new_title(two_models: "Shop") -> None:
    two_models.add("b", image_count=0)
    assert two_models.run("select model_id from shop_private.work order by 1") == [(1,), (2,)]


def test_a_change_of_a_quarantined_title_resets_its_work_item(shop: "Shop") -> None:
    shop.run("update shop.product set title = 'bad'")
    worker = shop.worker()
    worker.fail(worker.claim()[0], final=True)
    shop.run("update shop.product set title = 'good'")
    [row] = shop.run("select state::text, batch_limit, attempts, error, worker_id from shop_private.work")
    assert tuple(row) == ("pending", None, 0, None, None)
