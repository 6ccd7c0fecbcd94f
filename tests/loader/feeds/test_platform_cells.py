"""Unusual notations in the export of a platform are read with the meaning that the platform gives them."""

from pathlib import Path
from typing import Any

import pytest

from db.catalog.product import RawProduct
from db.catalog.rows.options import stock_sign, whole_number
from loader.sources import open_source

FIXTURES = Path(__file__).parents[1] / "fixtures"


def read(path: Path, content: str) -> dict[str, dict[str, Any]]:
    """Returns the fields and attributes of each product by its SKU."""
    path.write_text(content)
    rows = [row for row in open_source(path).rows() if isinstance(row, RawProduct)]
    return {row.fields["sku"]: {**row.attributes, **row.fields} for row in rows}


def test_the_condition_and_the_back_orders_of_a_french_prestashop_export_are_read(tmp_path: Path):
    header = "ID;Actif (0/1);Nom *;Référence #;Prix TTC;Quantité;Action si rupture de stock;État\n"
    found = read(tmp_path / "a.csv", header + "1;1;Pull;P1;43,08;0;1;Neuf\n2;1;Mug;P2;9,00;0;0;new\n")
    assert open_source(tmp_path / "a.csv").columns["État"] == "condition"
    assert [(one["condition"], one["availability"]) for one in found.values()] == [
        ("new", "backorder"),
        ("new", "out_of_stock"),
    ]
    assert "état" not in found["P1"]
    assert open_source(FIXTURES / "prestashop_list.csv").columns["État"] == "availability"


def test_a_price_with_more_than_two_decimals_is_rounded_and_the_cell_becomes_an_attribute(tmp_path: Path):
    header = "Product ID;Active (0/1);Name *;Reference #;Price tax excluded;Quantity\n"
    found = read(tmp_path / "a.csv", header + "1;1;Tee;T1;19.126456;1\n2;1;Mug;M1;1290,000000;0.5000\n")
    assert (found["T1"]["price"], found["T1"]["price_tax_excluded"]) == ("19.13", "19.126456")
    assert found["M1"]["price"] == "1290.00" and "price_tax_excluded" not in found["M1"]
    assert found["M1"]["availability"] == "in_stock"


@pytest.mark.parametrize(
    ("tax", "discount", "sale_price"),
    [
        ("included", "Discount percent;20", "24.00"),
        ("excluded", "Discount percent;12,5", "26.25"),
        ("included", "Discount amount;5.000000", "25.00"),
        ("excluded", "Discount amount;5", ""),  # the amount contains tax
        ("included", "Discount amount;30", ""),
        ("included", "Discount percent;0", ""),
    ],
)
def test_a_prestashop_discount_becomes_a_sale_price(tax: str, discount: str, sale_price: str, tmp_path: Path):
    column, cell = discount.split(";")
    dates = "Discount from (yyyy-mm-dd);Discount to (yyyy-mm-dd)"
    path = tmp_path / "products.csv"
    path.write_text(
        f"Product ID;Active (0/1);Name *;Reference #;Price tax {tax};{column};{dates}\n"
        f"1;1;Dress;D-1;30.00;{cell};2026-11-01;2026-12-31\n"
    )
    [product] = [row for row in open_source(path).rows() if isinstance(row, RawProduct)]
    assert product.fields.get("sale_price", "") == sale_price
    if sale_price:
        assert (product.fields["sale_starts_at"], product.fields["sale_ends_at"]) == ("2026-11-01", "2026-12-31")
    else:
        assert product.attributes["discount_from"] == "2026-11-01"


def test_the_value_of_a_prestashop_feature_may_have_a_comma(tmp_path: Path):
    header = "Product ID;Active (0/1);Name *;Reference #;Feature(Name:Value:Position);File URL\n"
    [tee] = read(tmp_path / "a.csv", header + "1;1;Tee;T1;Fit:Slim:1,Colour:Red, dark:3;https://x.example/f\n").values()
    assert (tee["fit"], tee["color"]) == ("Slim", "Red, dark")
    assert "file_url" not in tee


def test_a_magento_attribute_in_quotes_may_have_commas_and_equals_signs(tmp_path: Path):
    header = "sku,store_view_code,product_type,name,price,additional_attributes,configurable_variations\n"
    rows = [
        'S,,simple,Tee S,52.125000,"color=Black,care=""wash, dry=no"",size=S",',
        'C,,configurable,Tee,,,"sku=S,size=S"',
        "C,fr,configurable,Maillot,,,",
    ]
    found = read(tmp_path / "a.csv", header + "\n".join(rows) + "\n")
    assert (found["S"]["care"], found["S"]["size"], found["S"]["price"]) == ("wash, dry=no", "S", "52.13")
    assert found["S"]["store_views"]["fr"]["name"] == "Maillot"
    assert open_source(tmp_path / "a.csv").name == "magento"


def test_a_magento_bundle_without_a_price_of_its_own_has_no_price(tmp_path: Path):
    (tmp_path / "a.csv").write_text("sku,attribute_set_code,product_type,name,price\nB,Set,bundle,Set,0.000000\n")
    [row] = open_source(tmp_path / "a.csv").rows()
    assert isinstance(row, RawProduct)
    assert "price" not in row.fields and row.attributes["price"] == "0.000000"


def test_a_bigcommerce_export_with_types_and_featured_products_is_not_read_as_woocommerce(tmp_path: Path):
    header = "Item,ID,Name,Type,SKU,Inventory Tracking,Current Stock,Price,Categories,Is Visible,Is Featured,GTIN"
    fields = '"[{""name"":""Care"",""value"":""wash; ""}]"'
    row = f"Product,112,Tee,physical,TEE,product,3,20,24,TRUE,FALSE,4006381333931,{fields}"
    found = read(tmp_path / "a.csv", f"{header},Custom Fields\n{row}\n")
    assert open_source(tmp_path / "a.csv").name == "bigcommerce"
    assert (found["TEE"]["gtin"], found["TEE"]["availability"], found["TEE"]["care"]) == (
        "4006381333931",
        "in_stock",
        "wash;",
    )


def test_a_quoted_bigcommerce_field_may_have_a_semicolon(tmp_path: Path):
    header = "Item Type,Product ID,Product Name,Product Code/SKU,Price,Product Custom Fields\n"
    found = read(tmp_path / "a.csv", header + 'Product,77,Lamp,L,9,"""Colour=Black"";""Note=5;6"""\n')
    assert (found["L"]["color"], found["L"]["note"]) == ("Black", "5;6")


@pytest.mark.parametrize("header", ["sku,name,type,In stock", "sku,name,type,Is featured,price"])
def test_a_table_with_common_column_names_is_not_read_as_woocommerce(header: str, tmp_path: Path):
    (tmp_path / "a.csv").write_text(f"{header}\n{','.join('a' for _ in header.split(','))}\n")
    assert open_source(tmp_path / "a.csv").name == "delimited"


def test_metafields_of_shopify_set_the_color_and_material_that_no_option_sets(tmp_path: Path):
    metafields = "Color (product.metafields.shopify.color-pattern),Material (product.metafields.custom.material)"
    header = f"Handle,Title,Option1 Name,Option1 Value,Variant SKU,Variant Price,Image Src,Status,{metafields}\n"
    found = read(
        tmp_path / "a.csv", header + "a,A,Colour,Blue,A1,5,,active,red; green,wool\nb,B,,,B1,5,,unlisted,red; green,\n"
    )
    assert (found["A1"]["color"], found["A1"]["material"]) == ("Blue", "wool")
    assert (found["B1"]["color"], found["B1"]["availability"]) == ("red/green", "out_of_stock")


def test_the_reviews_and_the_google_columns_of_a_shopify_export_fill_the_fields(tmp_path: Path):
    google = "Google Shopping / MPN,Google Shopping / Condition"
    reviews = "Bewertung (product.metafields.reviews.rating),Anzahl (product.metafields.reviews.rating_count)"
    header = f"Handle,Title,Option1 Name,Option1 Value,Variant Price,Image Src,{google},{reviews}\n"
    rating = '"{""value"":""4.7"",""scale_min"":""1.0"",""scale_max"":""5.0""}"'
    rows = f"a,A,Title,Default Title,5,,M-1,New,{rating},12\nb,B,Size,S,5,,M-2,used,,\nb,,,M,5,,,,,\n"
    found = read(tmp_path / "a.csv", header + rows)
    assert {name: found["a"].get(name) for name in ("mpn", "condition", "rating", "review_count")} == {
        "mpn": "M-1",
        "condition": "new",
        "rating": "4.7/5",
        "review_count": "12",
    }
    assert [("mpn" in one, one["condition"]) for one in (found["b/S"], found["b/M"])] == [(False, "used")] * 2
    assert found["b/M"]["google_shopping_/_mpn"] == "M-2"


def test_additional_images_that_magento_hides_from_the_page_are_omitted(tmp_path: Path):
    (tmp_path / "a.csv").write_text(
        "sku,attribute_set_code,name,price,base_image,additional_images,hide_from_product_page\n"
        'A,Default,Bag,5,/a.jpg,"/a.jpg,/b.jpg,/c.jpg","/c.jpg,/a.jpg"\n'
    )
    [row] = open_source(tmp_path / "a.csv").rows()
    assert isinstance(row, RawProduct)
    assert row.images == ("a.jpg", "b.jpg")
    assert row.attributes["hide_from_product_page"] == "/c.jpg,/a.jpg"


@pytest.mark.parametrize(("published", "availability"), [("WAHR", "in_stock"), ("FAUX", "out_of_stock")])
def test_the_words_for_true_and_false_of_spreadsheets_in_other_languages_are_read(
    published: str, availability: str, tmp_path: Path
):
    header = "Handle;Title;Published;Option1 Name;Option1 Value;Variant SKU;Variant Price;Image Src\n"
    [tee] = read(tmp_path / "a.csv", f"{header}tee;Tee;{published};;;T1;12,50;\n").values()
    assert tee["availability"] == availability


@pytest.mark.parametrize(
    ("written", "number", "sign"),
    [
        ("5", 5, 1),
        ("+5", 5, 1),
        ("'5", 5, 1),
        ("5.0000", 5, 1),
        ("5.000", None, 1),
        ("0.5", None, 1),
        ("-2", -2, -1),
        ("0,00", 0, 0),
    ],
)
def test_a_quantity_that_is_ambiguous_or_not_whole_still_has_a_sign(written: str, number: int, sign: int):
    assert (whole_number(written), stock_sign(written)) == (number, sign)


def test_escaped_characters_of_a_woocommerce_export_are_unescaped(tmp_path: Path):
    header = "ID,Type,SKU,Name,Published,Short description,Description,In stock?,Regular price,Purchase note\n"
    row = r"1,simple,S1,'-50% mug,1,'+ cup,Warm\nand cosy C:\\new,1,5,Wash\nby hand"
    [one] = read(tmp_path / "a.csv", header + row).values()
    assert (one["title"], one["short_description"]) == ("-50% mug", "+ cup")
    assert one["description"].split() == ["Warm", "and", "cosy", r"C:\new"]
    assert one["purchase_note"].split() == ["Wash", "by", "hand"]


def test_the_magento_column_of_variation_labels_is_reported_as_item_group_id():
    assert open_source(FIXTURES / "magento.csv").columns["configurable_variation_labels"] == "item_group_id"


def test_ids_of_categories_are_no_product_types_and_a_quantity_with_a_blank_is_read():
    def rows(name: str) -> list[RawProduct]:
        return [row for row in open_source(FIXTURES / name).rows() if isinstance(row, RawProduct)]

    bag, cap = rows("bigcommerce_ids.csv")
    assert (bag.fields.get("product_type"), bag.attributes["category_ids"]) == (None, ["23", "24"])
    assert [field for field, _ in bag.faults] == ["product_type"]
    assert cap.fields["product_type"] == "Clothing > Caps"
    assert "product_type" not in rows("medusa_2_odd.csv")[0].fields
    mug = rows("meta_odd.csv")[0]
    assert (mug.fields.get("product_type"), mug.attributes["google_product_category"]) == (None, "166")
    assert rows("prestashop_fr.csv")[0].fields["quantity"] == "1 000"
