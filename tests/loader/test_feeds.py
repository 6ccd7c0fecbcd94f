"""Feeds in the formats of shops, written by hand after the public field lists, loaded and compared."""

import gzip
import json
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from db.catalog.product import COLUMNS, RawProduct
from db.engine import Database
from db.errors import SettingsError
from db.roles import Role
from loader.mapping import parse_mapping
from loader.sources import Format, open_source
from loader.sources.registry import FILE_FORMATS
from tests.support.loading import load_catalog

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def shared(databases: Any, template: str) -> Database:
    copied: Database = databases.copy(template)
    return copied


@pytest.fixture
def database(shared: Database) -> Database:
    with shared.connect(Role.APP) as conn, conn.begin():
        conn.execute(text("delete from shop.product"))
    return shared


def stored(database: Database) -> dict[str, dict[str, Any]]:
    """By SKU: the columns and attributes that are not empty, and the images in order."""
    with database.connect(Role.APP) as conn:
        rows = conn.execute(
            text(
                "select p.*, (select array_agg(i.uri order by i.position) from shop.product_image i "
                "where i.product_id = p.product_id) as images from shop.product p"
            )
        ).mappings()
        return {
            row["sku"]: {name: row[name] for name in (*COLUMNS, "attributes", "images") if row[name] not in (None, {})}
            for row in rows
        }


BACKPACK = {
    "sku": "B-1022",
    "title": "Black leather backpack, 20 l",
    "description": 'A 13" laptop fits. Water & wear & tear: no problem.',
    "brand": "Urbano",
    "product_type": "Bags > Backpacks",
    "price": Decimal("89.90"),
    "currency": "EUR",
    "availability": "in_stock",
    "gtin": "4006381333931",
    "mpn": "UB-20-BLK",
    "item_group_id": "B-10",
    "link": "https://shop.example/b-1022?size=m,l",
    "image_link": "https://img.example/b-1022/front.jpg",
    "color": "black/brown",
    "size": "M",
    "material": "leather/cotton",
    "condition": "new",
    "attributes": {
        "sale_price": "69.90 EUR",
        "google_product_category": "Apparel & Accessories > Handbags, Wallets & Cases > Handbags",
        "gender": "unisex",
        "custom_label_0": "winter",
    },
    "images": [
        "https://img.example/b-1022/front.jpg",
        "https://img.example/b-1022/back.jpg",
        "https://img.example/b-1022/open.jpg?w=800,h=800",
    ],
}
FEED = {
    "B-1022": BACKPACK,
    "B-1023": {
        "sku": "B-1023",
        "title": "Sac à dos en cuir noir",
        "brand": "Urbano",
        "price": Decimal("1299.00"),
        "currency": "EUR",
        "availability": "out_of_stock",
        "link": "https://shop.example/b-1023",
        "image_link": "https://img.example/b-1023.jpg",
        "condition": "used",
        "attributes": {"identifier_exists": "no"},
        "images": ["https://img.example/b-1023.jpg"],
    },
    "B-1024": {
        "sku": "B-1024",
        "title": "Zelt für vier Personen 🏕️",
        "price": Decimal("249.00"),
        "currency": "EUR",
        "availability": "preorder",
        "link": "https://shop.example/b-1024",
        "image_link": "https://img.example/b-1024.jpg",
        "attributes": {"availability_date": "2026-12-24T13:00-0800"},
        "images": ["https://img.example/b-1024.jpg"],
    },
    "B-1025": {
        "sku": "B-1025",
        "title": "Sleeping bag",
        "price": Decimal("59.50"),
        "currency": "EUR",
        "availability": "backorder",
        "link": "https://shop.example/b-1025",
        "image_link": "https://img.example/b-1025.jpg",
        "images": ["https://img.example/b-1025.jpg"],
    },
}


@pytest.mark.parametrize("name", ["merchant.tsv", "merchant.xml", "merchant_atom.xml", "merchant.jsonl"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_merchant_feed_gives_the_same_products_in_every_format(
    name: str, packed: bool, database: Database, tmp_path: Path
):
    path = shutil.copy(FIXTURES / name, tmp_path)
    if packed:
        path = tmp_path / f"{name}.gz"
        path.write_bytes(gzip.compress((FIXTURES / name).read_bytes()))
    summary = load_catalog(database, Path(path))
    assert (summary.source, summary.read, summary.inserted, summary.rejected) == ("merchant", 4, 4, 0)
    found = stored(database)
    for sku in FEED:
        found[sku].get("attributes", {}).pop("link_self", None)  # only Atom has it
        if not found[sku].get("attributes", True):
            del found[sku]["attributes"]
    assert found == FEED


def test_an_odd_merchant_xml_keeps_googles_fields_and_all_others(database: Database, tmp_path: Path):
    summary = load_catalog(database, FIXTURES / "merchant_odd.xml")
    assert (summary.read, summary.inserted, summary.rejected) == (3, 2, 1)
    assert stored(database) == {
        "M-1": {
            "sku": "M-1",
            "title": "Red mug",
            "description": "Café <b>mug</b>",
            "image_link": "https://img.example/m-1.jpg",
            "attributes": {"guid": "abc"},
            "images": ["https://img.example/m-1.jpg"],
        },
        "M-2": {
            "sku": "M-2",
            "title": "Blue mug",
            "product_type": "Kitchen > Mugs",
            "image_link": "https://img.example/m-2.jpg",
            "attributes": {
                "product_types": ["Kitchen > Mugs", "Gifts"],
                "shipping": [{"country": "DE", "price": "4.90 EUR"}, {"country": "AT", "price": "9.90 EUR"}],
                "product_detail": {
                    "section_name": "General",
                    "attribute_name": "Volume",
                    "attribute_value": "0.3 l",
                },
                "product_highlight": ["Dishwasher safe", "Two colours"],
                "glaze": "matt",
            },
            "images": ["https://img.example/m-2.jpg", "https://img.example/m-2b.jpg"],
        },
    }
    assert (tmp_path / "merchant_odd.rejects.csv").read_text().splitlines()[1:] == [
        "31,,sku has 2 values; it takes one"
    ]


def test_odd_json_lines_are_read_or_listed_with_their_line(database: Database, tmp_path: Path):
    summary = load_catalog(database, FIXTURES / "merchant_odd.jsonl")
    assert (summary.source, summary.read, summary.inserted, summary.rejected) == ("jsonl", 10, 2, 8)
    assert stored(database) == {
        "O-1": {
            "sku": "O-1",
            "title": "Camel case",
            "product_type": "Mugs",
            "price": Decimal("19.99"),
            "currency": "EUR",
            "gtin": "4006381333931",
            "image_link": "https://img.example/1.jpg",
            "attributes": {"product_types": ["Mugs", "Gifts"], "sizes": ["S", "M"]},
            "images": ["https://img.example/1.jpg", "https://img.example/1b.jpg"],
        },
        "17": {
            "sku": "17",
            "title": "A number for an id",
            "brand": "Acme",
            "price": Decimal("12.50"),
            "currency": "EUR",
            "color": "red/blue",
            "image_link": "https://img.example/2.jpg",
            "attributes": {
                "is_bundle": True,
                "rating": 4.5,
                "shipping": [{"country": "DE", "price": "4.90 EUR"}],
            },
            "images": ["https://img.example/2.jpg", "https://img.example/3.jpg"],
        },
    }
    assert (tmp_path / "merchant_odd.rejects.csv").read_text().splitlines()[1:] == [
        "4,O-3,brand has 2 values; it takes one",
        '5,O-4,"price is an object without ""value"" and ""currency"""',
        '6,,"""title"" is given twice"',
        "7,O-6,title is not UTF-8",
        "8,O-7,title has a NUL character",
        "9,,1e999 is not a number that can be stored",
        '10,,"the line is JSON, but not an object {...}"',
        "11,,not JSON: Unterminated string starting at position 25",
    ]


def test_a_shopify_export_gives_a_product_per_variant_and_per_handle_without_variants(
    database: Database, tmp_path: Path
):
    summary = load_catalog(database, FIXTURES / "shopify.csv")
    assert (summary.source, summary.read, summary.inserted, summary.rejected) == ("shopify", 7, 5, 2)
    cdn = "https://cdn.shop.example/"
    of_all = {
        "description": "Cool & light.\n100% linen\nMade in Portugal",
        "brand": "Costa",
        "product_type": "Shirts",
        "item_group_id": "linen-shirt",
    }
    attributes = {
        "handle": "linen-shirt",
        "keywords": ["summer", "linen"],
        "product_category": "Apparel & Accessories > Clothing > Shirts",
    }
    in_order = [cdn + f"shirt-{n}.jpg" for n in (1, 2, 3, 10)]
    assert stored(database) == {
        "00451": {
            **of_all,
            "sku": "00451",
            "title": "Linen shirt - Sand / M",
            "price": Decimal("59.00"),
            "availability": "in_stock",
            "gtin": "5601234567892",
            "image_link": cdn + "shirt-sand.jpg",
            "color": "Sand",
            "size": "M",
            "attributes": {
                **attributes,
                "color": "Sand",
                "size": "M",
                "variant_grams": "210",
                "variant_compare_at_price": "79.00",
                "variant_weight_unit": "g",
                "gift_card": "false",
            },
            "images": [cdn + "shirt-sand.jpg", *in_order],
        },
        "linen-shirt/Sand/L": {
            **of_all,
            "sku": "linen-shirt/Sand/L",
            "title": "Linen shirt - Sand / L",
            "price": Decimal("59.00"),
            "availability": "out_of_stock",
            "image_link": cdn + "shirt-sand.jpg",
            "color": "Sand",
            "size": "L",
            "attributes": {**attributes, "color": "Sand", "size": "L"},
            "images": [cdn + "shirt-sand.jpg", *in_order],
        },
        "LS-B-L": {
            **of_all,
            "sku": "LS-B-L",
            "title": "Linen shirt - Blue / L",
            "price": Decimal("62.50"),
            "availability": "backorder",
            "image_link": cdn + "shirt-1.jpg",
            "color": "Blue",
            "size": "L",
            "attributes": {**attributes, "color": "Blue", "size": "L"},
            "images": in_order,
        },
        "gift-card": {
            "sku": "gift-card",
            "title": "Gift card",
            "brand": "Costa",
            "price": Decimal("25.00"),
            "availability": "in_stock",
            "image_link": cdn + "card.jpg",
            "attributes": {"handle": "gift-card", "gift_card": "true"},
            "images": [cdn + "card.jpg"],
        },
        "HAT-1": {
            "sku": "HAT-1",
            "title": "Old hat",
            "price": Decimal("15.00"),
            "availability": "out_of_stock",
            "attributes": {"handle": "old-hat"},
        },
    }
    assert (tmp_path / "shopify.rejects.csv").read_text().splitlines()[1:] == [
        "10,,the handle is empty",
        "9,,no row of the handle no-title has a title",
    ]


def test_shopifys_newer_column_names_are_known_too(database: Database):
    assert load_catalog(database, FIXTURES / "shopify_2025.csv").source == "shopify"
    found = stored(database)
    desk = found["WD-120"]
    assert desk["description"] == "Solid\nOiled by hand\n120 x 60 cm"
    assert (desk["product_type"], desk["availability"]) == ("Furniture > Desks", "backorder")
    assert desk["images"] == ["https://cdn.shop.example/desk.jpg"]
    assert found["OD-120"]["availability"] == "out_of_stock"


ANVIL = {
    "sku": "0446310786",
    "title": "Executive anvil",
    "description": "Sleeker than ACME's Classic Anvil.",
    "brand": "ACME",
    "product_type": "Tools",
    "price": Decimal("119.99"),
    "currency": "USD",
    "availability": "in_stock",
    "gtin": "0614141999996",
    "mpn": "925872",
    "link": "https://shop.example/p/1",
    "image_link": "https://img.example/anvil.jpg",
    "color": "Silver",
    "condition": "used",
    "attributes": {
        "product_types": ["Tools", "Gifts"],
        "keywords": ["heavy", "silver"],
        "Weight": "20 kg",
        "Forged": True,
        "aggregateRating": {"@type": "AggregateRating", "ratingValue": "4.4", "reviewCount": 89},
    },
    "images": ["https://img.example/anvil.jpg", "https://img.example/anvil-side.jpg"],
}


def as_document(path: Path, tmp_path: Path) -> Path:
    return path


def as_one_line(path: Path, tmp_path: Path) -> Path:
    (tmp_path / "line.json").write_text(json.dumps(json.loads(path.read_text())))
    return tmp_path / "line.json"


def as_a_list(path: Path, tmp_path: Path) -> Path:
    (tmp_path / "list.json").write_text(json.dumps(json.loads(path.read_text())["@graph"], indent=1))
    return tmp_path / "list.json"


def as_lines(path: Path, tmp_path: Path) -> Path:
    """As a crawler stores them: the JSON of each page on one line."""
    pages = json.loads(path.read_text())["@graph"]
    (tmp_path / "pages.jsonl").write_text("".join(json.dumps(page) + "\n" for page in pages[1:]))
    return tmp_path / "pages.jsonl"


@pytest.mark.parametrize("spelled", [as_document, as_one_line, as_a_list, as_lines])
def test_schema_org_products_are_found_in_every_place_pages_put_them(
    spelled: Callable[[Path, Path], Path], database: Database, tmp_path: Path
):
    summary = load_catalog(database, spelled(FIXTURES / "product.jsonld", tmp_path))
    assert (summary.source, summary.read, summary.inserted, summary.rejected) == ("jsonld", 5, 4, 1)
    assert summary.first_reject is not None and summary.first_reject.reason == "sku is empty"
    found = stored(database)
    assert found.pop("0446310786") == ANVIL
    assert found["C-2"]["title"] == "Cart"
    assert (found["C-2"]["price"], found["C-2"]["images"]) == (Decimal("950.00"), ["https://img.example/cart.jpg"])
    assert found["C-2"]["attributes"]["offers"]["highPrice"] == "1200.00"
    small, large = found["44E01-S"], found["44E01-L"]
    assert (small["title"], large["title"]) == ("Wool coat", "Wool coat, large")
    for coat in (small, large):
        assert (coat["brand"], coat["material"], coat["item_group_id"]) == ("Good brand", "wool", "44E01")
    assert (small["size"], large["size"]) == ("small", "large")
    assert (small["availability"], small["price"]) == ("out_of_stock", Decimal("39.99"))
    # of several offers the lowest price in the first one's currency, and the best availability; all are kept
    assert (large["availability"], large["price"], large["currency"]) == ("preorder", Decimal("45.00"), "USD")
    assert len(large["attributes"]["offers"]) == 3


def test_json_lines_and_parquet_of_the_same_rows_are_the_same_products(database: Database, tmp_path: Path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = [
        {"sku": "1", "title": "One", "price": 9.5, "images": ["a.jpg", "b.jpg"], "weight": 1.5, "tags": ["x", "y"]},
        {"sku": "2", "title": "Two", "price": None, "images": [], "weight": float("nan"), "tags": None},
    ]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "goods.parquet")
    rows[1]["weight"] = None  # JSON has no NaN
    (tmp_path / "goods.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert load_catalog(database, tmp_path / "goods.parquet").source == "parquet"
    found = stored(database)
    again = load_catalog(database, tmp_path / "goods.jsonl")
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


def test_parquet_types_become_json_types(database: Database, tmp_path: Path):
    import datetime

    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pyarrow.table(
        {
            "sku": pyarrow.array([1001, 1002]),
            "title": ["One", "Two"],
            "gtin": [4006381333931.0, None],  # as pandas stores a column with gaps
            "price": pyarrow.array([Decimal("12.50"), Decimal("0.99")], pyarrow.decimal128(8, 2)),
            "since": [datetime.date(2026, 1, 2), None],
            "box": [{"cm": [1, 2, 3]}, None],
        }
    )
    parquet.write_table(table, tmp_path / "goods.parquet")
    load_catalog(database, tmp_path / "goods.parquet")
    assert stored(database) == {
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
def test_fields_are_mapped_in_every_format_that_has_names(suffix: str, tmp_path: Path):
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
        ('{"id": 1, "title": "a"', Format.JSONL),  # and of more lines
        ('{"id": 1, "title": "a", "link": "l", "image_link": "i"}\n{"id": 2}\n', Format.MERCHANT),
        ('{"@type": "Product"}', Format.JSONLD),
        ('[\n  {"@type": "Product"}\n]', Format.JSONLD),
        ("PAR1", Format.PARQUET),
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


def test_a_named_format_is_used_without_detection(tmp_path: Path):
    (tmp_path / "goods.csv").write_text("posting_id,image,image_phash,title\n1,a.jpg,,One\n")
    assert open_source(tmp_path / "goods.csv", kind=Format.DELIMITED).name == "delimited"
    assert open_source(tmp_path / "goods.csv", kind=Format.MERCHANT).name == "merchant"


def test_every_format_is_registered():
    assert set(FILE_FORMATS) == set(Format) - {Format.FOLDER}


def test_the_documentation_names_every_format():
    page = (Path(__file__).parents[2] / "docs" / "loading.md").read_text()
    assert [kind for kind in Format if f"| `{kind}` | " not in page] == []


def test_a_mapping_file_works_like_flags_and_flags_take_precedence(tmp_path: Path):
    path = tmp_path / "map.toml"
    path.write_text('sku = "Code"\ntitle = "Item name"\n')
    assert parse_mapping(["title=Label"], path) == {"sku": "Code", "title": "Label"}
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
