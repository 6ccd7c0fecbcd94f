"""A variant whose row has no title takes the descriptive values of its parent from another row of the file."""

from pathlib import Path

import pytest

from db.catalog.product import RawProduct
from loader.rejects import Reject
from loader.sources import open_source
from loader.sources.reading.stored_rows import StoredRows

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


def rows_of(folder: Path, content: str, name: str = "export.csv") -> dict[str, RawProduct | Reject]:
    path = folder / name
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
        ("sku,title,parent_id,price\n7-1,,7.0,2\n7,Hat,,1\n", "7-1", ("Hat", None, None, None, "2", "7"), ()),
        (
            "sku,relationship,parent_sku,title,price\nq,,,Hat,1\np,,,Shirt,1\nq-1,variation,q,,2\n",
            "q-1", ("Hat", None, None, None, "2", "q"), (),
        ),
        (
            "id,sku,parent_id,title,price\n1,2,,Hat,1\n2,7,,Shirt,1\n3,8,2,,2\n",
            "8", ("Shirt", None, None, None, "2", "7"), (),
        ),
        (
            "sku,id,product_number,parent_id,title,price\na,5,100,,Shirt,1\nb,6,5,,Hat,1\na-1,7,101,5,,2\n",
            "a-1", ("Shirt", None, None, None, "2", "a"), (),
        ),
        (
            "sku,title,description,parent_sku,price\na,Hat,Warm,,1\na-1,<b></b>,<p></p>,a,2\n",
            "a-1", ("Hat", "Warm", None, None, "2", "a"), (),
        ),
    ],
)  # fmt: skip
def test_the_parent_fills_the_empty_values_of_a_variant_without_a_title(
    content: str, sku: str, fields: tuple[str | None, ...], images: tuple[str, ...], tmp_path: Path
) -> None:
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
def test_a_variant_with_no_known_parent_or_two_possible_parents_is_rejected(
    content: str, reason: str, tmp_path: Path
) -> None:
    assert rows_of(tmp_path, content)["a"] == Reject(2, "a", reason)


def test_a_row_without_a_title_and_without_a_name_of_a_parent_stays_as_it_is(tmp_path: Path) -> None:
    row = rows_of(tmp_path, "sku,title,price\na,,5\nb,B,6\n")["a"]
    assert isinstance(row, RawProduct) and row.fields == {"sku": "a", "price": "5"}


@pytest.mark.parametrize("before", ["P,,,Shirt,1,1,9,9,9", "P,,,,,"])
def test_a_variation_never_takes_the_values_of_an_earlier_listing(before: str, tmp_path: Path) -> None:
    header = "CustomLabel,Relationship,RelationshipDetails,Title,StartPrice,Quantity"
    row = rows_of(tmp_path, f"{header}\nQ,,,Hat,5,1\n{before}\nP-r,Variation,Color=red,,10,3\n")["P-r"]
    reason = "title is empty, and no row with a title and without a relationship comes before it"
    assert row == Reject(4, "P-r", reason)


def test_objects_name_a_parent_by_any_text_or_by_an_object_with_an_id(tmp_path: Path) -> None:
    parent = '{"sku": "p", "id": 5, "title": "Hat", "images": ["https://e.x/a\\nb.jpg", "https://e.x/c.jpg"]}'
    variants = '{"sku": "a", "parent": {"id": 5}}\n{"sku": "b", "parent_id": "\\udc80"}\n{"sku": "c", "parent": true}'
    rows = rows_of(tmp_path, f"{parent}\n{variants}\n", "export.jsonl")
    assert isinstance(found := rows["a"], RawProduct)
    assert found.fields["title"] == "Hat" and found.images == ("https://e.x/a\nb.jpg", "https://e.x/c.jpg")
    assert isinstance(rows["b"], Reject)
    assert isinstance(unnamed := rows["c"], RawProduct) and "title" not in unnamed.fields


def test_the_parent_of_variants_that_follow_each_other_is_looked_up_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    counted: list[str] = []
    count = StoredRows.count

    def counting(stored: StoredRows, kind: str, name: str) -> int:
        counted.append(kind)
        return count(stored, kind, name)

    monkeypatch.setattr(StoredRows, "count", counting)
    rows = rows_of(tmp_path, "sku,item_group_id,title\na,g,Hat\nb,g,Cap\n" + "".join(f"{n},g,\n" for n in range(500)))
    assert sum(isinstance(row, Reject) for row in rows.values()) == 500
    assert 0 < len(counted) < 20
