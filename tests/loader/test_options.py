"""The options of a load describe a file with unusual columns, values, currencies, addresses or encodings."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from db.catalog.image_paths import ImageRoot
from db.catalog.product import Product, RawProduct, ValidatedProduct
from db.catalog.validation import validate
from loader.errors import MissingColumns, NothingToLoad, SourceDamaged
from loader.mapping import parse_changes, parse_mapping
from loader.sources import open_source
from loader.sources.changed_values import ValueChanges


def rows(path: Path, **options: Any) -> list[RawProduct]:
    return [row for row in open_source(path, **options).rows() if isinstance(row, RawProduct)]


def products(path: Path, **options: Any) -> list[Product]:
    found = [validate(row, ImageRoot(path.parent), strict=False) for row in rows(path, **options)]
    return [one.product for one in found if isinstance(one, ValidatedProduct)]


def test_a_field_takes_the_first_of_its_columns_that_has_a_value(tmp_path: Path) -> None:
    path = tmp_path / "goods.csv"
    path.write_text("Code,A,B,P1,P2,T1,T2\n1,One,Uno,a.jpg,b.jpg,x,y\n2,,Due,,c.jpg,,z\n")
    mapping = parse_mapping(["sku=Code", "title=A", "title=B", "image=P2", "image=P1", "keywords=T1", "keywords=T2"])
    first, second = rows(path, mapping=mapping)
    assert (first.fields["title"], list(first.images)) == ("One", ["b.jpg", "a.jpg"])
    assert first.attributes == {"keywords": ["x", "y"], "b": "Uno"}
    assert (second.fields["title"], list(second.images), second.attributes) == ("Due", ["c.jpg"], {"keywords": ["z"]})


def test_a_mapping_file_has_lists_of_columns_and_tables_of_values(tmp_path: Path) -> None:
    path = tmp_path / "map.toml"
    path.write_text('sku = "Code"\nimage = ["P1", "P2"]\n[values.availability]\n"nur im Laden" = "in_stock"\n')
    assert parse_mapping([], path) == {"sku": ["Code"], "image": ["P1", "P2"]}
    assert parse_changes(["availability:weg=out_of_stock"], path, None, None) == ValueChanges(
        {"availability": {"nur im Laden": "in_stock", "weg": "out_of_stock"}}
    )


PATHS = {
    "id": 1,
    "texts": [{"lang": "en", "title": "Chair"}, {"lang": "de", "title": "Stuhl"}],
    "priceUsd": {"currencyCode": "USD", "units": 8, "nanos": 990000000},
    "media": {"gallery": [{"file": "a.jpg"}, {"file": "b.jpg"}]},
}
MAPPING = {
    "title": "texts.0.title",
    "price": "priceUsd",
    "image": "media.gallery.file",
    "currency": "price_usd.currency_code",
}


@pytest.mark.parametrize("suffix", ["jsonl", "json"])
def test_a_mapped_path_reads_a_value_inside_an_object_or_list(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"goods.{suffix}"
    path.write_text(json.dumps([PATHS, {**PATHS, "id": 2}]) if suffix == "json" else json.dumps(PATHS) + "\n")
    first = rows(path, mapping=MAPPING)[0]
    assert first.fields == {"sku": "1", "title": "Chair", "price": "8.99 USD", "currency": "USD"}
    assert list(first.images) == ["a.jpg", "b.jpg"]


def test_a_mapped_path_that_no_row_has_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "goods.jsonl").write_text(json.dumps(PATHS) + "\n")
    with pytest.raises(MissingColumns, match=r'has no column "cost.amount" for price'):
        open_source(tmp_path / "goods.jsonl", mapping={"title": "texts.0.title", "price": "cost.amount"})


def test_values_are_replaced_without_regard_to_letter_case(tmp_path: Path) -> None:
    path = tmp_path / "goods.csv"
    path.write_text("sku,title,availability,color\n1,A,auf lager,rot\n2,B,in stock,blau\n")
    changes = parse_changes(["availability:Auf Lager=in_stock", "color:rot=red"], None, None, None)
    assert [(one.availability, one.color) for one in products(path, changes=changes)] == [
        ("in_stock", "red"),
        ("in_stock", "blau"),
    ]


def test_the_given_currency_applies_to_prices_without_a_currency(tmp_path: Path) -> None:
    path = tmp_path / "goods.csv"
    path.write_text("sku,title,price,currency\n1,A,5,\n2,B,5 GBP,\n3,C,5,CHF\n4,D,$5,\n5,E,,\n")
    changes = parse_changes([], None, "usd", None)
    assert [one.currency for one in products(path, changes=changes)] == ["USD", "GBP", "CHF", "USD", None]


def test_relative_addresses_are_resolved_against_the_base_url(tmp_path: Path) -> None:
    path = tmp_path / "goods.csv"
    path.write_text("sku,title,image,link\n1,A,w/a b.jpg|/x/c.jpg|https://b.example/d.jpg,/p/1\n")
    [row] = rows(path, changes=parse_changes([], None, None, "https://shop.example/media"))
    assert list(row.images) == [
        "https://shop.example/media/w/a%20b.jpg",
        "https://shop.example/x/c.jpg",
        "https://b.example/d.jpg",
    ]
    assert row.fields["link"] == "https://shop.example/p/1"


def test_an_absolute_image_path_is_resolved_below_a_given_image_root(tmp_path: Path) -> None:
    path = tmp_path / "goods.csv"
    path.write_text("sku,title,image\n1,A,/static/mug.jpg\n")
    assert list(rows(path, image_root=tmp_path)[0].images) == ["static/mug.jpg"]
    assert products(path)[0].images == ()  # without --image-root, an absolute path is a fault


def test_an_address_without_scheme_is_read_as_https(tmp_path: Path) -> None:
    path = tmp_path / "goods.csv"
    path.write_text("sku,title,image\n1,A,//cdn.example/x.jpg\n")
    assert products(path)[0].images[0].uri == "https://cdn.example/x.jpg"


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_an_image_path_finds_its_file_in_either_unicode_normal_form(form: str, tmp_path: Path) -> None:
    name = "Crème/é.jpg"
    file = tmp_path / unicodedata.normalize(form, name)
    file.parent.mkdir()
    file.write_bytes(b"x")
    for written in ("NFC", "NFD"):
        uri, version = ImageRoot(tmp_path).uri(unicodedata.normalize(written, name))
        assert (uri, version is not None) == (unicodedata.normalize(form, name), True)


TABLE = "sku;title;price\r\n1;Café „Stühle“ - 12 €;12,50\r\n2;Lamp;3,00\r\n"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_the_encoding_of_a_table_is_recognised(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "goods.csv"
    path.write_bytes(TABLE.encode(encoding))
    assert [row.fields["title"] for row in rows(path)] == ["Café „Stühle“ - 12 €", "Lamp"]


@pytest.mark.parametrize("encoding", ["windows-1252", "cp1250", "mac-roman"])
def test_the_encoding_of_a_table_can_be_given(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "goods.csv"
    path.write_bytes(TABLE.encode(encoding))
    assert [row.fields["title"] for row in rows(path, encoding=encoding)] == ["Café „Stühle“ - 12 €", "Lamp"]


def test_utf16_without_a_byte_order_mark_is_read_if_the_encoding_is_given(tmp_path: Path) -> None:
    path = tmp_path / "goods.csv"
    path.write_bytes(TABLE.encode("utf-16-be"))
    assert [row.fields["title"] for row in rows(path, encoding="utf-16")] == ["Café „Stühle“ - 12 €", "Lamp"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_text_that_is_not_in_the_given_encoding_is_refused(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "goods.csv"
    path.write_bytes(TABLE.encode("windows-1252"))
    with pytest.raises(SourceDamaged, match=f"goods.csv is not text in {encoding}: .* does not start with BOM"):
        open_source(path, encoding=encoding)


def test_a_row_with_a_byte_that_the_encoding_does_not_define_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "goods.csv"
    path.write_bytes(b"sku,title\n1,a\x81\n2,b\xe9\n")
    found = list(open_source(path, encoding="windows-1252").rows())
    assert [type(one).__name__ for one in found] == ["Reject", "RawProduct"]


@pytest.mark.parametrize("declared", ["UTF-16", "windows-1252"])
def test_xml_in_utf16_and_in_windows_1252_is_read(declared: str, tmp_path: Path) -> None:
    xml = f'<?xml version="1.0" encoding="{declared}"?><rss><item><id>1</id><title>Café</title></item></rss>'
    path = tmp_path / "feed.xml"
    path.write_bytes(xml.encode(declared))
    assert [row.fields["title"] for row in rows(path)] == ["Café"]


def test_json_lines_in_utf16_are_read(tmp_path: Path) -> None:
    path = tmp_path / "goods.jsonl"
    path.write_bytes('{"id": 1, "title": "Café"}\n{"id": 2, "title": "b"}\n'.encode("utf-16"))
    assert [row.fields["title"] for row in rows(path)] == ["Café", "b"]


@pytest.mark.parametrize("line", ["sep=;\n", "sep=;\r\n", '"sep=;"\r\n', "SEP=;\r\n", "\ufeffsep=;\n"])
def test_the_sep_line_of_excel_gives_the_delimiter(line: str, tmp_path: Path) -> None:
    path = tmp_path / "goods.csv"
    path.write_text(f"{line}sku;title;price\n1;Chair, oak;12,50\n", newline="")
    [row] = rows(path)
    assert (row.fields, row.line) == ({"sku": "1", "title": "Chair, oak", "price": "12,50"}, 3)


def test_a_file_with_only_the_sep_line_of_excel_is_empty(tmp_path: Path) -> None:
    (tmp_path / "goods.csv").write_text("sep=;\n")
    with pytest.raises(NothingToLoad):
        open_source(tmp_path / "goods.csv")
