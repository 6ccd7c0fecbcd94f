"""A JSON document with a list of products is read one product at a time."""

import json
import tracemalloc
from itertools import islice
from pathlib import Path

import pytest

from db.catalog.product import RawProduct
from loader.errors import LoaderError, MissingColumns, NotACatalog, SourceDamaged
from loader.rejects import Reject
from loader.sources import open_source

FIXTURES = Path(__file__).parents[1] / "fixtures"
CHAIRS = [{"id": f"c{n}", "name": f"Chair {n}", "note": 'a "]}" \\ b'} for n in range(3)]


def skus(path: Path) -> list[str]:
    return [row.fields["sku"] for row in open_source(path).rows() if isinstance(row, RawProduct)]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize(
    "document",
    [
        CHAIRS,
        {"products": CHAIRS},
        {"meta": {"links": [{"rel": "next"}]}, "data": {"items": CHAIRS}, "total": 3},
        {"categories": [{"id": 1, "name": "All"}], "products": CHAIRS},
        {"empty": [], "numbers": [1, 2], "goods": CHAIRS},
    ],
)
def test_the_list_of_products_is_found_in_a_document(document: object, indent: int | None, tmp_path: Path):
    (tmp_path / "goods.json").write_text(json.dumps(document, indent=indent))
    source = open_source(tmp_path / "goods.json")
    assert source.name == "json"
    assert skus(tmp_path / "goods.json") == ["c0", "c1", "c2"]


def test_a_list_of_names_and_values_becomes_attributes(tmp_path: Path):
    attributes = [
        {"name": "Color", "options": ["Black", "Green"]},
        {"name": "Glaze", "value": "matt"},
        {"name": "Cost", "value": 9},
    ]
    other = [{"name": "Glaze"}, 5]
    document = [{"id": 1, "name": "A", "attributes": attributes}, {"id": 2, "name": "B", "attributes": other}]
    (tmp_path / "goods.json").write_text(json.dumps(document))
    first, second = (row for row in open_source(tmp_path / "goods.json").rows() if isinstance(row, RawProduct))
    assert (first.fields["color"], first.attributes) == ("Black/Green", {"color": ["Black", "Green"], "glaze": "matt"})
    assert second.attributes == {"attributes": other}


def test_several_pretty_printed_products_in_one_file_are_read(tmp_path: Path):
    (tmp_path / "goods.json").write_text("\n".join(json.dumps(chair, indent=1) for chair in CHAIRS))
    assert skus(tmp_path / "goods.json") == ["c0", "c1", "c2"]


def test_faulty_members_of_the_list_are_rejected_with_their_line_number():
    rejects = [row for row in open_source(FIXTURES / "products.json").rows() if isinstance(row, Reject)]
    assert [(row.line, row.reason) for row in rejects] == [
        (8, "the member of the list is not an object {...}"),
        (9, '"id" is given twice'),
    ]


def test_a_member_that_is_too_long_or_not_utf8_is_rejected_alone(tmp_path: Path):
    big = json.dumps({"id": "big", "name": "x" * 2_000_000})
    content = f'[{{"id": 1, "name": "a"}},\n{big},\n{{"id": 3, "name": "\udce9"}},\n{{"id": 4, "name": "d"}}]'
    (tmp_path / "goods.json").write_bytes(content.encode(errors="surrogateescape"))
    found = list(open_source(tmp_path / "goods.json").rows())
    assert [row.line for row in found] == [1, 2, 3, 4]
    assert [row.reason for row in found if isinstance(row, Reject)] == [
        "the value is longer than 1 MiB",
        "not UTF-8: byte 0xE9",
    ]


def test_damaged_members_before_the_first_product_are_rejected(tmp_path: Path):
    content = '{"tags": [{"a": 1, "a": 2}, 5], "products": [{"id": 1, "id": 2},\n{"id": 3, "name": "\udce9"},\n'
    content += '{"id": 4, "name": "d"}]}'
    (tmp_path / "goods.json").write_bytes(content.encode(errors="surrogateescape"))
    found = list(open_source(tmp_path / "goods.json").rows())
    assert [row.reason for row in found if isinstance(row, Reject)] == ['"id" is given twice', "not UTF-8: byte 0xE9"]
    assert skus(tmp_path / "goods.json") == ["4"]


@pytest.mark.parametrize("document", ["[%s]", '{"products": [%s]}'])
@pytest.mark.parametrize("first", ["null", "5", '"text"', "[]", "true", "[{}]", '[{"id": 9, "name": "inner"}]'])
def test_a_list_whose_first_member_is_no_object_is_read(first: str, document: str, tmp_path: Path):
    members = f'{first},\n{{"id": 1, "name": "a"}},\n{{"id": 2, "name": "b"}}'
    (tmp_path / "goods.json").write_text(document % members)
    found = list(open_source(tmp_path / "goods.json").rows())
    rejected = [(row.line, row.reason) for row in found if isinstance(row, Reject)]
    assert rejected == [(1, "the member of the list is not an object {...}")]
    assert skus(tmp_path / "goods.json") == ["1", "2"]


def test_a_list_whose_first_member_is_an_empty_object_is_read(tmp_path: Path):
    (tmp_path / "goods.json").write_text('[{}, {"id": 1, "name": "a"}]')
    first, second = open_source(tmp_path / "goods.json").rows()
    assert isinstance(first, RawProduct) and not first.fields
    assert isinstance(second, RawProduct) and second.fields["sku"] == "1"


def test_a_truncated_document_yields_its_products_and_then_the_error(tmp_path: Path):
    content = json.dumps({"products": [{"id": n, "name": "x"} for n in range(50_000)]})
    (tmp_path / "goods.json").write_text(content[:-1000])
    rows = open_source(tmp_path / "goods.json").rows()
    assert len(list(islice(rows, 49_000))) == 49_000
    with pytest.raises(SourceDamaged, match="is not valid JSON at line 1"):
        list(rows)


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ('{"a": [1, 2], "b": {}}', MissingColumns, "no column for sku and title; its columns: a, b"),
        ('[{"id": 1},\n {"id": 2}]', MissingColumns, "no column for title; its columns: id"),
        ('{"rows": [{"a": 1}]}', MissingColumns, "no column for sku and title"),
        ("[1, 2, 3]", NotACatalog, "without a list of objects"),
        ("[}", SourceDamaged, "is not valid JSON"),
        ('{"a" 1}', SourceDamaged, "is not valid JSON"),
    ],
)
def test_a_document_that_is_not_valid_or_has_no_products_is_an_error(
    content: str, error: type[LoaderError], message: str, tmp_path: Path
):
    (tmp_path / "goods.json").write_text(content)
    with pytest.raises(error, match=message):
        list(open_source(tmp_path / "goods.json").rows())


def test_reading_a_document_of_30_000_products_needs_less_than_8_mib_of_memory(tmp_path: Path):
    with (tmp_path / "goods.json").open("w") as file:
        file.write('{"products": [')
        file.write(",".join(f'{{"id": {n}, "name": "{"x" * 300}"}}' for n in range(30_000)))
        file.write("]}")
    tracemalloc.start()
    try:
        source = open_source(tmp_path / "goods.json")
        assert sum(isinstance(row, RawProduct) for row in source.rows()) == 30_000
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
        assert source.done == source.size
    finally:
        tracemalloc.stop()
