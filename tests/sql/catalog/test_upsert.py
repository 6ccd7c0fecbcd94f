"""shop.upsert_staged writes only new and changed rows and counts each kind of row. Changed titles and images get work
items."""

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from db.catalog import store as catalog
from db.catalog.product import Image, Product
from db.catalog.store import UpsertCounts
from db.errors import StatementRefused
from db.roles import Role

if TYPE_CHECKING:
    from tests.support.shop import Shop

FULL = Product(
    "full",
    "Leather bag",
    "A bag.",
    "Acme",
    "Bags",
    Decimal("79.90"),
    "EUR",
    "in_stock",
    "4006381333931",
    "mpn",
    "group",
    "https://shop.example/full",
    "https://shop.example/full.jpg",
    "black",
    "M",
    "leather",
    "new",
    {"pockets": 3, "tags": ["a", "b"]},
    (Image("full.jpg"), Image("https://cdn.example/back.jpg")),
)


def images(shop: "Shop", sku: str) -> list[tuple[Any, ...]]:
    rows = shop.run(
        "select i.position, r.folder, i.uri from shop.product_image i left join shop_private.image_root r "
        "using (image_root_id) where i.product_id = shop.product_id(:sku) order by i.position",
        sku=sku,
    )
    return [tuple(row) for row in rows]


def test_the_columns_and_images_of_a_product_are_stored(shop: "Shop") -> None:
    assert shop.load(FULL) == UpsertCounts(inserted=1, updated=0, unchanged=0, images=2)
    [row] = shop.run(
        "select title, description, brand, product_type, price, currency, availability, gtin, mpn, item_group_id, "
        "link, image_link, color, size, material, condition, attributes from shop.product"
    )
    assert tuple(row) == (
        *("Leather bag", "A bag.", "Acme", "Bags", Decimal("79.90"), "EUR", "in_stock", "4006381333931", "mpn"),
        *("group", "https://shop.example/full", "https://shop.example/full.jpg", "black", "M", "leather", "new"),
        {"pockets": 3, "tags": ["a", "b"]},
    )
    assert images(shop, "full") == [(0, "/images", "full.jpg"), (1, None, "https://cdn.example/back.jpg")]


def test_loading_the_same_rows_again_writes_nothing(shop: "Shop") -> None:
    shop.load(FULL)
    shop.encode_all(fetched=True)
    before = shop.run("select xmin::text, updated_at from shop.product")
    assert shop.load(FULL) == UpsertCounts(inserted=0, updated=0, unchanged=1, images=0)
    assert shop.run("select xmin::text, updated_at from shop.product") == before
    assert shop.work() == []


def test_an_upsert_counts_new_changed_and_unchanged_products_separately(shop: "Shop") -> None:
    shop.load(Product("a", "A"), Product("b", "B"), Product("c", "C"))
    counts = shop.load(Product("a", "A"), Product("b", "B", price=Decimal(1)), Product("d", "D"))
    assert counts == UpsertCounts(inserted=1, updated=1, unchanged=1, images=0)
    assert shop.value("select count(*) from shop.product") == 4  # product c was not staged, so it is kept


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"title": "Suede bag"}, ["title"]),
        ({"price": Decimal(60)}, []),
        ({"attributes": {"pockets": 4}}, []),
        ({"description": None}, []),
        ({"images": (Image("new.jpg"), FULL.images[1])}, ["image"]),
    ],
)
def test_a_changed_column_updates_the_row_and_only_titles_and_images_are_encoded_again(
    shop: "Shop", change: dict[str, Any], parts: list[str]
) -> None:
    from dataclasses import replace

    shop.load(FULL)
    shop.encode_all(fetched=True)
    before = shop.value("select updated_at from shop.product")
    shop.load(replace(FULL, **change))
    assert [row[1] for row in shop.work()] == parts
    assert (shop.value("select updated_at from shop.product") > before) is ("images" not in change)


def test_a_shorter_image_list_deletes_the_remaining_images(shop: "Shop") -> None:
    shop.load(Product("a", "A", images=(Image("0.jpg"), Image("1.jpg"), Image("2.jpg"))))
    shop.encode_all(fetched=True)
    counts = shop.load(Product("a", "A", images=(Image("0.jpg"), Image("new.jpg"))))
    assert counts == UpsertCounts(inserted=0, updated=0, unchanged=1, images=2)
    assert images(shop, "a") == [(0, "/images", "0.jpg"), (1, "/images", "new.jpg")]
    assert shop.work() == [("a", "image", 1, "pending")]
    assert shop.load(Product("a", "A")).images == 2
    assert shop.work() == []


def test_the_same_path_in_another_folder_is_another_image(shop: "Shop") -> None:
    shop.load(Product("a", "A", images=(Image("0.jpg"),)))
    shop.encode_all(fetched=True)
    assert shop.load(Product("a", "A", images=(Image("0.jpg"),)), image_root=Path("/moved")).images == 1
    assert images(shop, "a") == [(0, "/moved", "0.jpg")]
    assert shop.work() == [("a", "image", 0, "pending")]


def test_an_image_keeps_its_folder_if_the_load_has_no_image_root_or_keeps_the_roots(shop: "Shop") -> None:
    shop.load(Product("a", "A", images=(Image("0.jpg"),)))
    same = Product("a", "A", images=(Image("0.jpg"),))
    assert shop.load(same, image_root=None).images == 0
    with shop.database.connect(Role.APP) as conn, conn.begin():
        with catalog.staging(conn, keeps_roots=True) as stage:
            stage(same)
        assert catalog.upsert(conn, image_root=Path("/moved")).images == 0
    assert images(shop, "a") == [(0, "/images", "0.jpg")]


def test_replacing_an_image_deletes_the_metadata_of_the_old_image(shop: "Shop") -> None:
    shop.load(Product("a", "A", images=(Image("0.jpg", phash="1" * 64),)))
    shop.run("update shop.product_image set sha256 = sha256('x'), width = 1, height = 1")
    shop.load(Product("a", "A", images=(Image("1.jpg"),)))
    assert shop.run("select sha256, phash, width, height from shop.product_image") == [(None,) * 4]


def test_a_perceptual_hash_is_kept_if_a_later_feed_has_no_hash_for_the_image(shop: "Shop") -> None:
    shop.load(Product("a", "A", images=(Image("0.jpg", phash="10" * 32),)))
    shop.load(Product("a", "A", images=(Image("0.jpg"),)))
    assert shop.value("select phash::text from shop.product_image") == "10" * 32


def test_a_sku_in_two_catalogs_names_two_products(shop: "Shop") -> None:
    shop.load(Product("a", "in main"))
    assert shop.load(Product("a", "in outlet"), into="outlet").inserted == 1
    shop.load(Product("a", "changed"), into="outlet")
    assert shop.run("select catalog, title from shop.product order by 1") == [
        ("main", "in main"),
        ("outlet", "changed"),
    ]


def test_two_loads_from_one_folder_store_the_folder_once(shop: "Shop") -> None:
    shop.add("a")
    shop.add("b")
    assert shop.value("select count(distinct image_root_id) from shop.product_image") == 1


def test_two_loads_in_one_transaction_succeed(shop: "Shop") -> None:
    with shop.database.connect(Role.APP) as conn, conn.begin():
        for title in ("A", "B"):
            with catalog.staging(conn) as stage:
                stage(Product("a", title))
            catalog.upsert(conn)
    assert shop.value("select title from shop.product") == "B"


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (Product("", "A"), "product_sku_check"),
        (Product("a", ""), "product_title_check"),
        (Product("a", "A", price=Decimal(-1)), "product_price_check"),
        (Product("a", "A", price=Decimal("NaN")), "product_price_check"),
        (Product("a", "A", currency="euro"), "product_currency_check"),
        (Product("a", "A", availability="maybe"), "product_availability_check"),
        (Product("a", "A", attributes=["a"]), "product_attributes_check|dictionary|sequence"),  # type: ignore[arg-type]
        (Product("a", "A", images=(Image("../secret.jpg"),)), "product_image_uri_check"),
        (Product("a", "A", images=(Image("/etc/passwd"),)), "product_image_uri_check"),
        (Product("a", "A", images=(Image("file:///etc/passwd"),)), "product_image_uri_check"),
    ],
)
def test_an_invalid_product_is_rejected_and_no_product_is_stored(shop: "Shop", bad: Product, message: str) -> None:
    with pytest.raises((StatementRefused, TypeError, ValueError), match=message):
        shop.load(Product("good", "G"), bad)
    assert shop.value("select count(*) from shop.product") == 0


def test_an_invalid_catalog_name_is_rejected(shop: "Shop") -> None:
    with pytest.raises(StatementRefused, match="product_catalog_check"):
        shop.load(Product("a", "A"), into="Main Catalog")
