"""A variant whose row has no title takes the descriptive values of its parent from another row of the file."""

from pathlib import Path

import pytest

from db.catalog.product import RawProduct
from loader.rejects import Reject
from loader.sources import open_source

SHOPWARE = (
    "id,parent_id,product_number,name,description,manufacturer,category,price\n"
    "u2,u1,P-1.1,,,,,12\nu1,,P-1,Shirt,Soft,Acme,Tops,10\nu3,u1,P-1.2,,Softer,,,13\n"
)
EBAY = (
    "Action,CustomLabel,*Title,Relationship,RelationshipDetails,*Quantity,PicURL,*StartPrice\n"
    "Add,T,Tee,,Size=S;M,,https://shop.example/a.jpg,\n,T-S,,Variation,Size=S,4,,9\n"
    ",T-M,,Variation,Size=M,0,https://shop.example/b.jpg,9\nAdd,C,Cap,,,1,,5\n"
)
WIX = (
    "handleId,fieldType,name,description,productImageUrl,sku,price\nh1,Product,Mug,Nice,m.jpg,,5\n"
    "h1,Variant,,,,mug-red,5\nh2,Product,Cup,,,cup,5\nh1,Variant,,,,mug-blue,6\n"
)


def rows_of(folder: Path, content: str) -> dict[str, RawProduct | Reject]:
    path = folder / "export.csv"
    path.write_text(content)
    return {
        row.fields.get("sku", "") if isinstance(row, RawProduct) else row.sku: row for row in open_source(path).rows()
    }


@pytest.mark.parametrize(
    ("content", "sku", "fields", "images"),
    [
        (SHOPWARE, "u2", ("Shirt", "Soft", "Acme", "Tops", "12", "u1"), ()),
        (SHOPWARE, "u3", ("Shirt", "Softer", "Acme", "Tops", "13", "u1"), ()),
        (EBAY, "T-S", ("Tee", None, None, None, "9", "T"), ("https://shop.example/a.jpg",)),
        (EBAY, "T-M", ("Tee", None, None, None, "9", "T"), ("https://shop.example/b.jpg",)),
        (EBAY, "C", ("Cap", None, None, None, "5", None), ()),
        (WIX, "mug-red", ("Mug", "Nice", None, None, "5", "h1"), ("m.jpg",)),
        (WIX, "mug-blue", ("Mug", "Nice", None, None, "6", "h1"), ("m.jpg",)),
        ("sku,title,item_group_id,price\na,Hat,g,1\nb,,g,2\n", "b", ("Hat", None, None, None, "2", "g"), ()),
        ("sku,title,parent_sku,price\na-1,,a,2\na,Hat,,1\n", "a-1", ("Hat", None, None, None, "2", "a"), ()),
    ],
)
def test_the_parent_fills_the_empty_values_of_a_variant_without_a_title(
    content: str, sku: str, fields: tuple[str | None, ...], images: tuple[str, ...], tmp_path: Path
):
    row = rows_of(tmp_path, content)[sku]
    assert isinstance(row, RawProduct)
    names = ("title", "description", "brand", "product_type", "price", "item_group_id")
    assert tuple(map(row.fields.get, names)) == fields
    assert tuple(row.images) == images


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("sku,title,parent_sku\na,,b\nc,Cap,\n", 'title is empty, and the file has no parent "b" with a title'),
        (
            "sku,title,item_group_id\na,,g\nc,Cap red,g\nd,Cap blue,g\n",
            'title is empty, and 2 rows with a title have the identifier, handle or group "g", '
            "so the parent is uncertain",
        ),
    ],
)
def test_a_variant_with_no_known_parent_or_two_possible_parents_is_rejected(content: str, reason: str, tmp_path: Path):
    assert rows_of(tmp_path, content)["a"] == Reject(2, "a", reason)


def test_a_row_without_a_title_and_without_a_name_of_a_parent_stays_as_it_is(tmp_path: Path):
    row = rows_of(tmp_path, "sku,title,price\na,,5\nb,B,6\n")["a"]
    assert isinstance(row, RawProduct) and row.fields == {"sku": "a", "price": "5"}
