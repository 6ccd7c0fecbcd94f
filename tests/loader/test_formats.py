"""Shopee tables, plain tables and folders of images are loaded into the catalog."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from db.engine import Database
from db.roles import Role
from loader.errors import NotACatalog, NothingToLoad, SourceUnreadable
from loader.sources import Format, open_source
from tests.support.loading import load_catalog

SHOPEE = """posting_id,image,image_phash,title,label_group
train_1,a.jpg,94974f937d4c2433,Paper Bag Victoria Secret,249114794
train_2,b.jpg,af3f9460c2838f0f,"Double Tape 3M VHB, 12 mm",2937985045
train_3,b.jpg,not-a-hash,Daster Batik,2395904891
"""


@pytest.fixture
def shopee(tmp_path: Path) -> Path:
    folder = tmp_path / "shopee"
    (folder / "train_images").mkdir(parents=True)
    (folder / "test_images").mkdir()
    (folder / "train_images" / "a.jpg").write_bytes(b"a")
    (folder / "train.csv").write_text(SHOPEE)
    (folder / "test.csv").write_text("posting_id,image,image_phash,title\ntest_1,c.jpg,ecc292392dc7687a,Edufuntoys\n")
    (folder / "sample_submission.csv").write_text("posting_id,matches\ntest_1,test_1\n")
    return folder


def products(database: Database) -> dict[str, dict[str, Any]]:
    with database.connect(Role.APP) as conn:
        return {row["sku"]: dict(row) for row in conn.execute(text("select * from shop.product")).mappings()}


def images(database: Database) -> list[tuple[Any, ...]]:
    with database.connect(None) as conn:
        found = conn.execute(
            text(
                "select p.sku, i.position, i.uri, r.folder, i.phash::text from shop.product_image i "
                "join shop.product p using (product_id) left join shop_private.image_root r using (image_root_id) "
                "order by p.sku, i.position"
            )
        )
        return [tuple(row) for row in found]


def test_a_shopee_folder_is_loaded_from_its_training_table_and_images(database: Database, shopee: Path):
    summary = load_catalog(database, shopee)
    assert (summary.source, summary.path) == ("shopee", str(shopee / "train.csv"))
    assert (summary.read, summary.inserted, summary.images) == (3, 3, 3)
    assert (summary.missing_files, summary.dropped_hashes) == (2, 1)
    loaded = products(database)
    assert loaded["train_2"]["title"] == "Double Tape 3M VHB, 12 mm"
    assert loaded["train_2"]["attributes"] == {"label_group": "2937985045"}
    root = str(shopee / "train_images")
    assert images(database) == [
        ("train_1", 0, "a.jpg", root, f"{0x94974F937D4C2433:064b}"),
        ("train_2", 0, "b.jpg", root, f"{0xAF3F9460C2838F0F:064b}"),
        ("train_3", 0, "b.jpg", root, None),
    ]


def test_a_shopee_table_without_label_groups_can_be_loaded(database: Database, shopee: Path):
    summary = load_catalog(database, shopee / "test.csv")
    assert (summary.source, summary.inserted) == ("shopee", 1)
    assert products(database)["test_1"]["attributes"] == {}
    assert images(database)[0][3] == str(shopee / "test_images")


def test_shopee_images_in_another_folder_need_an_image_root(shopee: Path):
    (shopee / "test_images").rmdir()
    with pytest.raises(SourceUnreadable, match=r"the images of test.csv are not at .*test_images"):
        open_source(shopee / "test.csv")
    assert open_source(shopee / "test.csv", image_root=shopee).image_root == shopee


def test_the_columns_of_a_plain_table_are_recognised_by_their_usual_names(database: Database, tmp_path: Path):
    (tmp_path / "a.jpg").write_bytes(b"a")
    (tmp_path / "goods.tsv").write_text(
        "ID\tName\tCategory\tPrice\tAvailability\tVendor\tImage\tAdditional Images\tTags\tColour\tFrame size\tEAN\n"
        "1\t Red  bag \tbags\t12,50 EUR\tIn Stock\tAcme\t./a.jpg\tb.jpg|a.jpg\tone, two,one\tred\tXL\t4006381333931\n"
        "2\tBlue bag\t\t\t\t\thttps://shop.example/b.jpg;x=1,2 https://shop.example/c.jpg\t\t\t\t\t\n"
    )
    summary = load_catalog(database, tmp_path / "goods.tsv")
    assert (summary.source, summary.inserted, summary.missing_files) == ("delimited", 2, 1)
    loaded = products(database)
    first, second = loaded["1"], loaded["2"]
    assert first["title"] == "Red bag"
    assert (first["price"], first["currency"]) == (Decimal("12.50"), "EUR")
    assert (first["product_type"], first["availability"], first["brand"]) == ("bags", "in_stock", "Acme")
    assert (first["color"], first["gtin"]) == ("red", "4006381333931")
    assert first["attributes"] == {"keywords": ["one", "two"], "frame_size": "XL"}
    assert second["attributes"] == {}
    assert second["price"] is None
    assert second["image_link"] == "https://shop.example/b.jpg;x=1,2"
    assert [row[:4] for row in images(database)] == [
        ("1", 0, "a.jpg", str(tmp_path)),
        ("1", 1, "b.jpg", str(tmp_path)),
        ("2", 0, "https://shop.example/b.jpg;x=1,2", None),
        ("2", 1, "https://shop.example/c.jpg", None),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_of_a_table_is_detected(delimiter: str, tmp_path: Path):
    lines = [["sku", "title", "a;b|c,d\te".replace(delimiter, " ")], ["1", "One", "x"]]
    (tmp_path / "goods.csv").write_text("".join(delimiter.join(line) + "\n" for line in lines))
    [row] = open_source(tmp_path / "goods.csv").rows()
    assert row.fields == {"sku": "1", "title": "One"}  # type: ignore[union-attr]


def test_columns_with_other_names_can_be_mapped(database: Database, tmp_path: Path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1.png").write_bytes(b"1")
    (tmp_path / "goods.csv").write_text("Code,Item Name,name,pic\n1,Chair,internal,1.png\n")
    summary = load_catalog(
        database,
        tmp_path / "goods.csv",
        mapping={"sku": "Code", "title": "item name", "image": "pic"},
        image_root=tmp_path / "images",
    )
    assert (summary.inserted, summary.missing_files) == (1, 0)
    assert products(database)["1"]["title"] == "Chair"
    # The mapped column `Item Name` gives the title, so the column `name` becomes an attribute.
    assert products(database)["1"]["attributes"] == {"name": "internal"}
    assert images(database)[0][3] == str(tmp_path / "images")


def test_a_folder_with_one_table_is_loaded_from_that_table(tmp_path: Path):
    (tmp_path / "goods.csv").write_text("sku,title\n1,One\n")
    (tmp_path / "README.txt").write_text("about")
    assert open_source(tmp_path).path == tmp_path / "goods.csv"
    assert open_source(tmp_path, kind=Format.FOLDER).name == "folder"
    (tmp_path / "more.csv").write_text("sku,title\n2,Two\n")
    with pytest.raises(NotACatalog, match=r"several tables: goods.csv, more.csv"):
        open_source(tmp_path)


def test_each_image_of_a_folder_becomes_a_product(database: Database, tmp_path: Path):
    folder = tmp_path / "images"
    (folder / "hand-bags").mkdir(parents=True)
    (folder / ".cache").mkdir()
    for name in ("red_leather-bag.JPG", "hand-bags/blue  bag.png", ".cache/x.jpg", ".hidden.jpg", "notes.txt"):
        (folder / name).write_bytes(b"x")
    (folder / "out.jpg").symlink_to("/etc/passwd")
    (folder / "loop").symlink_to(folder)
    summary = load_catalog(database, folder)
    assert (summary.source, summary.read, summary.inserted, summary.rejected) == ("folder", 3, 2, 1)
    assert summary.first_reject is not None
    assert "out.jpg" in summary.first_reject.reason
    loaded = products(database)
    assert loaded["hand-bags/blue  bag.png"]["title"] == "blue bag"
    assert loaded["hand-bags/blue  bag.png"]["product_type"] == "hand bags"
    assert loaded["red_leather-bag.JPG"]["title"] == "red leather bag"
    assert [row[2:4] for row in images(database)] == [
        ("hand-bags/blue  bag.png", str(folder)),
        ("red_leather-bag.JPG", str(folder)),
    ]


def test_a_file_name_that_is_not_utf8_is_rejected(tmp_path: Path, database: Database):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "caf\udce9.jpg").write_bytes(b"x")
    summary = load_catalog(database, tmp_path / "images")
    assert (summary.rejected, summary.inserted) == (1, 0)
    assert "not UTF-8" in (tmp_path / "images.rejects.csv").read_text()


def test_a_folder_without_images_is_an_error(tmp_path: Path, database: Database):
    (tmp_path / "empty").mkdir()
    with pytest.raises(NothingToLoad, match="holds no rows"):
        load_catalog(database, tmp_path / "empty")
