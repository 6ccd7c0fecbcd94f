"""The same rows give the same products in several formats. A column can be mapped to a field. The format of a file is
recognised by its first bytes."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from db.catalog.product import RawProduct
from db.engine import Database
from db.errors import SettingsError
from loader.mapping import parse_mapping
from loader.sources import Format, open_source
from loader.sources.registry import FILE_FORMATS
from tests.support.loading import load_catalog, stored


def test_json_lines_and_parquet_of_the_same_rows_give_the_same_products(emptied_database: Database, tmp_path: Path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = [
        {"sku": "1", "title": "One", "price": 9.5, "images": ["a.jpg", "b.jpg"], "weight": 1.5, "tags": ["x", "y"]},
        {"sku": "2", "title": "Two", "price": None, "images": [], "weight": float("nan"), "tags": None},
    ]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "goods.parquet")
    rows[1]["weight"] = None  # JSON cannot express NaN, so the JSON line has null
    (tmp_path / "goods.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert load_catalog(emptied_database, tmp_path / "goods.parquet").source == "parquet"
    found = stored(emptied_database)
    again = load_catalog(emptied_database, tmp_path / "goods.jsonl")
    assert (again.source, again.unchanged, again.images) == ("jsonl", 2, 0)
    assert found == {
        "1": {
            "sku": "1",
            "title": "One",
            "price": Decimal("9.50"),
            "attributes": {"weight": 1.5, "keywords": ["x", "y"]},
            "images": ["a.jpg", "b.jpg"],
        },
        "2": {"sku": "2", "title": "Two"},
    }


def test_parquet_types_become_json_types(emptied_database: Database, tmp_path: Path):
    import datetime

    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pyarrow.table(
        {
            "sku": pyarrow.array([1001, 1002]),
            "title": ["One", "Two"],
            "gtin": [4006381333931.0, None],  # pandas stores a column of integers with missing values as floats
            "price": pyarrow.array([Decimal("12.50"), Decimal("0.99")], pyarrow.decimal128(8, 2)),
            "since": [datetime.date(2026, 1, 2), None],
            "box": [{"cm": [1, 2, 3]}, None],
        }
    )
    parquet.write_table(table, tmp_path / "goods.parquet")
    load_catalog(emptied_database, tmp_path / "goods.parquet")
    assert stored(emptied_database) == {
        "1001": {
            "sku": "1001",
            "title": "One",
            "gtin": "4006381333931",
            "price": Decimal("12.50"),
            "attributes": {"since": "2026-01-02", "box": {"cm": [1, 2, 3]}},
        },
        "1002": {"sku": "1002", "title": "Two", "price": Decimal("0.99")},
    }


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet", "xml"])
def test_columns_of_csv_and_json_lines_and_parquet_and_xml_are_mapped_to_fields(suffix: str, tmp_path: Path):
    path = tmp_path / f"goods.{suffix}"
    if suffix == "csv":
        path.write_text("Code,Label,title\n1,One,internal\n")
    elif suffix == "jsonl":
        path.write_text('{"Code": 1, "Label": "One", "title": "internal"}\n')
    elif suffix == "xml":
        path.write_text(
            "<rss><channel><item><Code>1</Code><Label>One</Label><title>internal</title></item></channel></rss>"
        )
    else:
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(pyarrow.table({"Code": ["1"], "Label": ["One"], "title": ["internal"]}), path)
    [row] = open_source(path, mapping={"sku": "Code", "title": "Label"}).rows()
    assert isinstance(row, RawProduct)
    assert row.fields == {"sku": "1", "title": "One"}
    assert list(row.attributes.values()) == ["internal"]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("sku,title\n1,a\n", Format.DELIMITED),
        ("id\ttitle\tlink\timage link\n", Format.MERCHANT),
        ("\ufeffposting_id,image,image_phash,title\n", Format.SHOPEE),
        ("Handle,Title,Option1 Value,Variant Price,Image Src\n", Format.SHOPIFY),
        ("\ufeff  <?xml version='1.0'?><rss/>", Format.MERCHANT),
        ('{"id": 1, "title": "a"}\n', Format.JSONL),
        ('{"id": 1, "title": "a"', Format.JSONL),  # the test adds a valid second line
        ('{"id": 1, "title": "a", "link": "l", "image_link": "i"}\n{"id": 2}\n', Format.MERCHANT),
        ('{"@type": "Product"}', Format.JSONLD),
        ('[\n  {"@type": "Product"}\n]', Format.JSONLD),
        ("PAR1", Format.PARQUET),
        ('[{"id": 1, "title": "a"}, {"id": 2, "title": "b"}]', Format.JSON),
        ('{"products": [{"id": 1, "title": "a"}]}\n', Format.JSON),
        ('{\n "id": 1,\n "title": "a"\n}', Format.JSON),
        ("ID,Type,SKU,Name,Published,Regular price,Categories\n", Format.WOOCOMMERCE),
        ("sku,attribute_set_code,product_type,name\n", Format.MAGENTO),
        ("sku,_store,_attribute_set,_type,_category,name\n", Format.MAGENTO),
        ("ID;Actif (0/1);Nom *;Catégories (x,y,z...);Référence;Prix HT\n", Format.PRESTASHOP),
        ("Produkt-ID;Aktiv (0/1);Name *;Kategorien (x,y,z...);Artikel-Nr.;Menge\n", Format.PRESTASHOP),
        ("Product Id,Product Handle,Product Title,Variant SKU\n", Format.MEDUSA),
        ("Item Type,Product ID,Product Name,Product Code/SKU\n", Format.BIGCOMMERCE),
        ("Item,ID,Name,SKU,Options,Is Visible\n", Format.BIGCOMMERCE),
        ("TITLE,DESCRIPTION,PRICE,CURRENCY_CODE,QUANTITY,TAGS,MATERIALS,IMAGE1\n", Format.ETSY),
        ("id,title,price,link,image_link,fb_product_category\n", Format.META),
    ],
)
def test_a_format_is_recognised_by_the_first_bytes(content: str, kind: Format, tmp_path: Path):
    from loader.sources.reading.catalog_file import CatalogFile
    from loader.sources.reading.file_head import FileHead
    from loader.sources.registry import recognise

    if content == '{"id": 1, "title": "a"':
        content += "\n" + '{"id": 2, "title": "b"}\n'
    (tmp_path / "goods.dat").write_text(content)
    assert recognise(FileHead(CatalogFile(tmp_path / "goods.dat"))) is kind


def test_a_given_format_is_used_without_detection(tmp_path: Path):
    (tmp_path / "goods.csv").write_text("posting_id,image,image_phash,title\n1,a.jpg,,One\n")
    assert open_source(tmp_path / "goods.csv", kind=Format.DELIMITED).name == "delimited"
    assert open_source(tmp_path / "goods.csv", kind=Format.MERCHANT).name == "merchant"


def test_every_format_is_registered():
    assert set(FILE_FORMATS) == set(Format) - {Format.FOLDER}


def test_the_documentation_names_every_format():
    page = (Path(__file__).parents[3] / "docs" / "loading.md").read_text()
    assert [kind for kind in Format if f"| `{kind}` | " not in page] == []


def test_a_mapping_file_maps_fields_and_an_option_takes_precedence_over_the_file(tmp_path: Path):
    path = tmp_path / "map.toml"
    path.write_text('sku = "Code"\ntitle = "Item name"\n')
    assert parse_mapping(["title=Label"], path) == {"sku": ["Code"], "title": ["Label"]}
    for content, message in (
        ("sku = 1", "sku in .*map.toml is not the name of a column"),
        ("sku = ", "is not TOML"),
        ('[map]\nsku = "Code"', "map in .*map.toml is not the name of a column"),
        ('colour_of_eyes = "Code"', 'there is no field "colour_of_eyes"'),
    ):
        path.write_text(content)
        with pytest.raises(SettingsError, match=message):
            parse_mapping([], path)
    with pytest.raises(SettingsError, match=r"cannot read .*missing.toml: No such file"):
        parse_mapping([], tmp_path / "missing.toml")
