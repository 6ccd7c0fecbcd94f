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


def test_a_row_without_a_title_that_names_no_parent_stays_as_it_is(tmp_path: Path) -> None:
    row = rows_of(tmp_path, "sku,title,price\na,,5\nb,B,6\n")["a"]
    assert isinstance(row, RawProduct) and row.fields == {"sku": "a", "price": "5"}


@pytest.mark.parametrize("before", ["P,,,Shirt,1,1,9,9,9", "P,,,,,"])
def test_a_variation_of_a_bad_listing_does_not_take_the_values_of_the_listing_before(
    before: str, tmp_path: Path
) -> None:
    header = "CustomLabel,Relationship,RelationshipDetails,Title,StartPrice,Quantity"
    row = rows_of(tmp_path, f"{header}\nQ,,,Hat,5,1\n{before}\nP-r,Variation,Color=red,,10,3\n")["P-r"]
    reason = "title is empty, and the last row before it without a relationship is missing, rejected or without a title"
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


PRICED = "id,parent_id,product_number,name,price,currency,list_price,sale_price,sale_from,surcharge\n"


@pytest.mark.parametrize(
    ("parent", "variant", "expected"),
    [
        ("10,EUR,15,,,", ",,,,,", {"price": "10", "currency": "EUR", "compare_at_price": "15"}),
        ("10,EUR,,8,2026-01-01,", ",eur,,,,0", {"price": "10", "currency": "eur", "sale_price": "8"}),
        ("10,EUR,,8,2026-01-01,", ",,,7,,", {"price": "10", "currency": "EUR", "sale_price": "7"}),
        ("10,EUR,15,8,,", "9,,,,,", {"price": "9", "currency": "EUR"}),  # the only currency of the file
        ("10,,,,,", ",,,,,2.50", 'price is empty, and the surcharge is not added to the price of the parent "u1"'),
        (",,,,,", ",,,,,", 'price is empty, and so is the price of the parent "u1"'),
        ("10,EUR,,,,", ",USD,,,,", 'price is empty, and the price of the parent "u1" is in EUR instead of USD'),
    ],
)
@pytest.mark.parametrize("title", ["", "Shirt M"])
def test_a_variant_without_a_price_takes_that_of_its_parent_or_gets_a_warning(
    title: str, parent: str, variant: str, expected: dict[str, str] | str, tmp_path: Path
) -> None:
    rows = rows_of(tmp_path, f"{PRICED}u1,,P,Shirt,{parent}\nu2,u1,P.1,{title},{variant}\nu3,,Q,Hat,,,,,,\n")
    row, other = rows["u2"], rows["u3"]
    assert isinstance(row, RawProduct) and isinstance(other, RawProduct)
    names = ("price", "currency", "compare_at_price", "sale_price")
    found = {name: row.fields[name] for name in names if name in row.fields}
    assert (row.warnings == [("price", expected)]) if isinstance(expected, str) else (found == expected)
    assert isinstance(expected, str) or not row.warnings
    assert row.fields["item_group_id"] == "u1" and not other.warnings


def test_a_file_without_prices_gets_no_warning_about_prices(tmp_path: Path) -> None:
    row = rows_of(tmp_path, "sku,title,parent_sku\na,Hat,\na-1,,a\n")["a-1"]
    assert isinstance(row, RawProduct) and not row.warnings


def test_a_variant_whose_parent_is_an_untitled_variant_is_rejected_with_both_identifiers(tmp_path: Path) -> None:
    content = "id,parent_id,name\nu1,,Shirt\nu2,u1,\nu3,u2,\n"
    reason = 'title is empty, and the parent "u2" has no title either: it is a variant of "u1"'
    assert rows_of(tmp_path, content)["u3"] == Reject(4, "u3", reason)


def test_a_variant_whose_parent_is_a_titled_variant_gets_a_warning_with_both_identifiers(tmp_path: Path) -> None:
    row = rows_of(tmp_path, "id,parent_id,name\nu1,,Shirt\nu2,u1,Shirt red\nu3,u2,\n")["u3"]
    assert isinstance(row, RawProduct) and row.fields["title"] == "Shirt red"
    assert row.warnings == [("item_group_id", 'the parent "u2" is itself a variant of "u1"')]


@pytest.mark.parametrize(
    "column",
    [
        "Parent Code",
        "master_sku",
        "Vaterartikel",
        "Parent SKU",
        "parent_id",
        "product_tmpl_id/id",
        "Hauptartikel-Nr.",
        "Master Product ID",
        "SKU padre",
        "Article parent",
        "Hoofdartikel",
        "variant_of",
        "Product Template/External ID",
        "Identifizierungsspalte Vaterartikel",
        "Produkt nadrzędny",
        "mainnumber",
        "Übergeordnet",
        "Übergeordneter Artikel",
        "SKU produktu nadrzędnego",
        "Código del producto padre",
        "Artikelnummer Hoofdproduct",
    ],
)
@pytest.mark.parametrize("title", ["", "Shirt M"])
def test_a_column_names_parents_if_its_values_are_identifiers_of_other_rows(
    title: str, column: str, tmp_path: Path
) -> None:
    row = rows_of(tmp_path, f"sku,title,price,{column}\nP.1,{title},,P\nP,Shirt,10,0\nQ,Hat,5,\n")["P.1"]
    assert isinstance(row, RawProduct) and not row.warnings
    assert row.fields == {"sku": "P.1", "title": title or "Shirt", "price": "10", "item_group_id": "P"}


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("master_sku", "X", 'but "X" is no identifier of a row with a title'),
        ("parent_id", "Q", 'but "Q" is itself a variant of "P"'),  # as in a tree of categories
    ],
)
def test_a_column_that_only_seems_to_name_parents_gets_a_warning(
    column: str, value: str, why: str, tmp_path: Path
) -> None:
    rows = rows_of(tmp_path, f"sku,title,{column}\nP,Shirt,\nQ,Hat,P\nR,Cap,{value}\nS,Bag,\n")
    warning = (
        f"{column} looks like the parent of a variant, {why}; "
        f"--map item_group_id={column} groups the products by this column"
    )
    warnings = {sku: row.warnings for sku, row in rows.items() if isinstance(row, RawProduct) and row.warnings}
    assert warnings == {"Q": [("item_group_id", warning)], "R": [("item_group_id", warning)]}
    assert all(isinstance(row, RawProduct) and "item_group_id" not in row.fields for row in rows.values())


@pytest.mark.parametrize(
    "column", ["master_carton", "parental_advisory", "Hauptmaterial", "parent_category", "main_id"]
)
def test_columns_with_similar_names_name_no_parents(column: str, tmp_path: Path) -> None:
    row = rows_of(tmp_path, f"sku,title,{column}\nP,Shirt,\nQ,Hat,P\n")["Q"]
    assert isinstance(row, RawProduct) and "item_group_id" not in row.fields and not row.warnings


@pytest.mark.parametrize("title", ["", "Shirt M"])
@pytest.mark.parametrize("price", ["", "9"])
@pytest.mark.parametrize(("column", "hidden", "shown"), [("active", "0", "1"), ("status", "draft", "active")])
def test_a_variant_of_a_hidden_parent_is_hidden_unless_it_says_that_it_is_shown(
    title: str, price: str, column: str, hidden: str, shown: str, tmp_path: Path
) -> None:
    content = f"sku,parent_sku,title,price,stock,{column}\nP,,Shirt,10,5,{hidden}\nQ,,Hat,10,5,{shown}\n"
    content += f"P.1,P,{title},{price},5,\nP.2,P,{title},{price},5,{shown}\nQ.1,Q,{title},{price},5,\n"
    rows = rows_of(tmp_path, content)
    found = {sku: row.fields["availability"] for sku, row in rows.items() if isinstance(row, RawProduct)}
    hidden_rows = {"P": "out_of_stock", "P.1": "out_of_stock"}
    assert found == {**hidden_rows, "P.2": "in_stock", "Q": "in_stock", "Q.1": "in_stock"}


def test_the_variations_of_a_deleted_listing_of_ebay_are_out_of_stock(tmp_path: Path) -> None:
    row = rows_of(tmp_path, EBAY.replace("Add,T,", "Delete,T,"))["T-S"]
    assert isinstance(row, RawProduct)
    assert (row.fields["availability"], row.attributes["product_availability"]) == ("out_of_stock", "in_stock")


def test_a_row_with_only_the_id_of_a_variant_belongs_to_the_product_above_it(tmp_path: Path) -> None:
    content = (
        "Product ID [Non Editable],Variant ID [Non Editable],Title,SKU,Option Name 1,Option Value 1,Price,Visible\n"
    )
    content += (
        "p1,v1,Apron,A-1,Color,Blue,48,Yes\n,v2,,A-2,,Red,49,\np2,v3,Old,B-1,,,9,No\n,v4,,B-2,,,9,\n,,,C-1,,,9,\n"
    )
    content += ",v5,,C-2,,,9,\n"
    rows = rows_of(tmp_path, content)
    assert {sku: row.fields.get("title") for sku, row in rows.items() if isinstance(row, RawProduct)} == {
        "A-1": "Apron", "A-2": "Apron", "B-1": "Old", "B-2": "Old", "C-1": None, "C-2": None,
    }  # fmt: skip
    variant, hidden = rows["A-2"], rows["B-2"]
    assert isinstance(variant, RawProduct) and isinstance(hidden, RawProduct)
    assert (variant.fields["item_group_id"], variant.fields["price"]) == ("A-1", "49")
    assert hidden.fields["availability"] == "out_of_stock"


def test_a_row_without_a_title_that_has_a_product_id_of_its_own_is_no_variant_of_the_row_above(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "product_id,variant_id,sku,title,price\n1,11,A,Shirt,10\n1,12,A-2,,11\n2,21,B,,15\n")
    assert {sku: row.fields.get("title") for sku, row in rows.items() if isinstance(row, RawProduct)} == {
        "A": "Shirt", "A-2": "Shirt", "B": None,
    }  # fmt: skip


@pytest.mark.parametrize("column", ["available", "sold_out"])
def test_a_variant_of_a_parent_that_is_sold_out_can_be_in_stock(column: str, tmp_path: Path) -> None:
    cell = {"available": "0", "sold_out": "1"}[column]
    rows = rows_of(tmp_path, f"sku,parent_sku,title,price,stock,{column}\nP,,Shirt,10,,{cell}\nP.1,P,Shirt M,,5,\n")
    row = rows["P.1"]
    assert isinstance(row, RawProduct)
    assert (row.fields["availability"], row.fields["price"]) == ("in_stock", "10")
