"""In an export of Magento 1, a row with an empty SKU continues the product above the row."""

from decimal import Decimal
from pathlib import Path
from typing import Any

from db.catalog.product import RawProduct
from loader.rejects import Reject
from loader.sources import open_source

FIXTURE = Path(__file__).parents[1] / "fixtures" / "magento_1.csv"
HEADER = "sku,_store,_type,_category,_media_image,name,price,color\n"


def rows_of(path: Path) -> tuple[dict[str, RawProduct], list[Reject]]:
    found = list(open_source(path).rows())
    products = {row.fields["sku"]: row for row in found if isinstance(row, RawProduct)}
    return products, [row for row in found if isinstance(row, Reject)]


def written(tmp_path: Path, *rows: str) -> tuple[dict[str, RawProduct], list[Reject]]:
    (tmp_path / "goods.csv").write_text(HEADER + "".join(f"{row}\n" for row in rows))
    return rows_of(tmp_path / "goods.csv")


def test_rows_below_a_product_add_categories_and_images_and_options_and_store_views():
    assert open_source(FIXTURE).name == "magento"
    products, rejects = rows_of(FIXTURE)
    assert (list(products), rejects) == (["shirt-red-m", "shirt-blue-l", "mug"], [])
    red = products["shirt-red-m"]
    expected: dict[str, Any] = {
        "product_type": "Men > Shirts, casual",
        "item_group_id": "shirt",
        "color": "Red",
        "size": "M, slim",
        "brand": "Acme",
        "sale_price": "24.50",
        "sale_ends_at": "2026-04-30",
    }
    assert {name: red.fields.get(name) for name in expected} == expected
    assert red.images == ("r/e/red.jpg", "s/h/shirt.jpg", "s/h/back.jpg")
    assert red.attributes["product_types"] == ["Men > Shirts, casual", "Sale > Men", "New"]
    assert red.attributes["features"] == ["Breathable", "Washable"]
    assert red.attributes["links_related"] == [{"sku": "mug", "position": "1"}, {"sku": "cap", "position": "2"}]
    assert red.attributes["tier_price"] == [{"qty": "10.0000", "price": "25.0000"}]
    assert red.attributes["store_views"]["fr"]["name"] == "Chemise"
    assert Decimal(products["shirt-blue-l"].fields["price"]) == 31
    assert products["shirt-blue-l"].fields["availability"] == "backorder"
    assert products["mug"].fields["availability"] == "out_of_stock"


def test_a_column_that_several_rows_fill_is_reported_with_the_attribute_of_its_values():
    columns = open_source(FIXTURE).columns
    assert columns["_media_image"] == "image, attributes.media"
    assert columns["_links_related_sku"] == "attributes.links_related"


def test_rows_below_a_rejected_row_belong_to_no_product(tmp_path: Path):
    products, rejects = written(
        tmp_path,
        ",,,Lost,,,,",
        "a,,simple,One,/a.jpg,A,1,Red",
        ",,,Two,,,,",
        'b,,simple,"Three"x,,B,2,',
        ",,,Four,/b.jpg,,,",
    )
    assert list(products) == ["a"]
    assert products["a"].attributes["product_types"] == ["One", "Two"]
    assert products["a"].images == ("a.jpg",)
    assert [reject.line for reject in rejects] == [2, 5, 6]
    assert rejects[2].reason == "the row has no SKU, and there is no product to which it belongs"


def test_values_of_a_multiple_choice_on_several_rows_become_a_list(tmp_path: Path):
    products, rejects = written(
        tmp_path, "a,,simple,,,A,1,Red", ",,,,,,,Blue", ",en,,,,English A,,", "b,,simple,,,B,1,Green"
    )
    assert rejects == []
    assert products["a"].fields["color"] == "Red/Blue"
    assert products["a"].attributes["color"] == ["Red", "Blue"]
    assert products["a"].attributes["store_views"] == {"en": {"name": "English A"}}
    assert products["b"].fields["color"] == "Green"


def test_a_row_without_a_sku_in_a_magento_2_export_does_not_continue_a_product(tmp_path: Path):
    (tmp_path / "goods.csv").write_text("sku,name,attribute_set_code\na,A,Default\n,B,Default\n")
    rows = list(open_source(tmp_path / "goods.csv").rows())
    assert [row.fields.get("sku") for row in rows if isinstance(row, RawProduct)] == ["a", None]
