"""Each cell of each fixture becomes a field or an attribute of a product, or a warning or reject reports the cell.

The test leaves out private columns, columns whose values are converted, and the words in STRUCTURE.
"""

import csv
import html
import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from db.catalog.image_paths import ImageRoot
from db.catalog.plain_text import plain_text
from db.catalog.product import COLUMNS, RawProduct, ValidatedProduct
from db.catalog.rows.columns import Columns
from db.catalog.validation import validate
from loader.rejects import Reject
from loader.sources import open_source

FIXTURES = Path(__file__).parents[1] / "fixtures"
# These words of a fixture need not be in a product. Such a word tells how to read a cell, is replaced by another word,
# is in a private value, or is in a row without a product.
STRUCTURE = {
    "bigcommerce.csv": {"ff0000"},
    "bigcommerce_ids.csv": {"name", "value", "product", "image"},
    "shopify_odd.csv": {"default", "title"},
    "prestashop_fr.csv": {"1", "000", "neuf", "occasion"},  # a quantity with a blank, and conditions in French
    "woocommerce_odd.csv": {"variable"},
    "bigcommerce_3.csv": {"name", "value", "rectangles", "smalltype", "swatch", "ff0000", "image", "9", "10", "false"},
    # Most of these are words of names in custom_attributes.
    "magento_rest.json": {
        "small",
        "special",
        "price",
        "000000",
        "date",
        "from",
        "to",
        "cost",
        "7",
        "50",
        "gtin",
        "keyword",
        "thumbnail",
        "no",
        "selection",
        "mpn",
        "brand",
    },
    # These are parts of IDs, and an amount whose unit is unknown.
    "medusa_1_api.json": {"img", "opt", "optval", "ma", "3", "ptag"},
    "medusa_2_api.json": {"img", "opt", "v1", "v2", "v3", "color", "1000"},
    "shopify_bulk.jsonl": {"02t00", "00", "00z", "7", "77", "31", "mediaimage", "default"},
    "woocommerce_rest.json": {"variable", "792", "793", "6", "pa", "supplier", "hidden", "ltd"},
    "magento_1.csv": {"no", "selection", "configurable", "0000"},
    "magento.csv": {"default", "category", "selection", "configurable", "sku", "manufacturer"},
    "merchant_odd.xml": {"two", "ids"},  # the title of a rejected item
    "prestashop_de.csv": {"2", "neu"},  # the position of a feature, and the condition, which is stored in English
    # Some of these words are in a product that is rejected, because it has no SKU.
    "product.jsonld": {"bags", "page", "size", "nameless", "to", "a", "shop", "outofstock"},
    "products.json": {"17", "j4", "twice"},  # words of rejected members
    "shopify.csv": {"default", "title", "1"},
    "shopify_2025.csv": {"default", "title", "1"},
    "shopify_products.json": {"8", "9", "900", "x", "size", "default", "title", "cost", "3", "00"},
    "woocommerce.csv": {"logo", "30", "variable"},
    "woocommerce_de.csv": {"10", "nund", "variable"},  # \n is a line end in "Weich\nund"
}
Cell = tuple[str, int, str]  # the column, the line, and the text


def cells_of_table(path: Path) -> Iterator[Cell]:
    with path.open(newline="", encoding="utf-8") as file:
        delimiter = ";" if "prestashop" in path.name else "\t" if path.suffix == ".tsv" else ","
        rows = csv.reader(file, delimiter=delimiter, skipinitialspace=True)
        lines = [(rows.line_num, row) for row in rows]
    header = next(number for number, (_, row) in enumerate(lines) if not row[0].startswith("# "))
    for line, row in lines[header + 1 :]:
        for name, cell in zip(lines[header][1], row, strict=True):
            yield name, line, cell


def cells_of_json(value: Any, name: str, line: int) -> Iterator[Cell]:
    if isinstance(value, dict):
        for key, member in value.items():
            if not key.startswith("@"):
                yield from cells_of_json(member, name or key, line)
    elif isinstance(value, list):
        for member in value:
            yield from cells_of_json(member, name, line)
    elif value is not None:
        yield name, line, str(value).lower() if isinstance(value, bool) else str(value)


def cells_of_lines(path: Path) -> Iterator[Cell]:
    for line, written in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        try:
            yield from cells_of_json(json.loads(written), "", line)
        except ValueError:
            continue


def cells_of_xml(path: Path) -> Iterator[Cell]:
    for item in ElementTree.parse(path).getroot().iter():
        if item.tag.rpartition("}")[2] in ("item", "entry"):
            for member in item:
                for element in member.iter():
                    yield member.tag.rpartition("}")[2], 0, (element.text or "").strip()
                    yield member.tag.rpartition("}")[2], 0, element.get("href", "")


def cells(path: Path) -> Iterator[Cell]:
    if path.suffix in (".csv", ".tsv"):
        yield from cells_of_table(path)
    elif path.suffix == ".jsonl":
        yield from cells_of_lines(path)
    elif path.suffix == ".xml":
        yield from cells_of_xml(path)
    else:
        document = json.loads(path.read_text(encoding="utf-8"))
        members = document if isinstance(document, list) else document.get("products", document.get("@graph"))
        yield from cells_of_json(members if members is not None else document["items"], "", 0)


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, member in value.items():
            yield str(key)
            yield from texts(member)
    elif isinstance(value, list | tuple):
        for member in value:
            yield from texts(member)
    else:
        yield str(value).lower() if isinstance(value, bool) else str(value)


def words(text: str) -> set[str]:
    """Returns the words of a text in lower case. A conversion such as "a,b" to ["a", "b"] keeps all words."""
    return set(re.findall(r"\w+", plain_text(html.unescape(text)).lower().replace("_", " ")))


def lost_cells(path: Path) -> list[Cell]:
    """Returns the cells that are neither in a product nor reported.

    If the line of a cell has a product, the words of the cell must be in this product. A line can also be unknown, or
    have no product, for example because its row only adds an image. Then the words of each part of the cell must be in
    one product of the file.
    """
    source = open_source(path)
    products: list[set[str]] = []
    of_line: dict[int, set[str]] = {}
    reported: set[int] = set()
    faulty: set[tuple[int, str]] = set()
    for row in source.rows():
        validated = row if isinstance(row, Reject) else validate(row, ImageRoot(path.parent), strict=False)
        if not isinstance(validated, ValidatedProduct):
            reported.add(row.line)
            continue
        product = validated.product
        values = [getattr(product, column) for column in COLUMNS if getattr(product, column) is not None]
        kept = {word for text in texts([values, product.attributes]) for word in words(text)}
        kept |= {word for image in product.images for word in words(image.uri)}
        products.append(kept)
        of_line.setdefault(row.line, set()).update(kept)
        faulty |= {(row.line, field) for field, _ in validated.warnings}
    # A private column is not loaded. Prices, times and availabilities are converted; other tests check their values.
    rewritten = ("not loaded", "price", "sale_", "compare_at_price", "published_at", "availability")
    excused = {column for column, field in source.columns.items() if field.startswith(rewritten)}
    structure = STRUCTURE.get(path.name, set())
    assert source.columns

    def is_kept(line: int, cell: str) -> bool:
        if line in of_line:
            return words(cell) - structure <= of_line[line]
        return all(any(words(part) - structure <= kept for kept in products) for part in re.split("[,|]", cell))

    return [
        (column, line, cell)
        for column, line, cell in cells(path)
        if line not in reported and column not in excused and not is_kept(line, cell)
        if (line, source.columns.get(column)) not in faulty
    ]


@pytest.mark.parametrize("name", sorted(path.name for path in FIXTURES.iterdir()))
def test_each_cell_of_a_fixture_is_loaded_or_reported(name: str, tmp_path: Path):
    path = Path(shutil.copy(FIXTURES / name, tmp_path))
    (tmp_path / f"{path.stem}_images").mkdir()
    assert lost_cells(path) == []


def test_a_cell_whose_words_are_only_in_the_product_of_another_row_counts_as_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "goods.csv").write_text("sku,title,colour\n1,Red mug,Red\n2,Blue mug,Red\n")
    assert lost_cells(tmp_path / "goods.csv") == []
    monkeypatch.setattr("loader.sources.reading.columns.Columns.row", without_color_of_the_second_row(Columns.row))
    assert lost_cells(tmp_path / "goods.csv") == [("colour", 3, "Red")]


def without_color_of_the_second_row(row: Callable[..., RawProduct]) -> Callable[..., RawProduct]:
    def changed(self: Columns, line: int, cells: Any) -> RawProduct:
        found = row(self, line, cells)
        return replace(found, fields={**found.fields, "color": ""}) if line == 3 else found

    return changed
