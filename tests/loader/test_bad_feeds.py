"""A fault in a feed gives an error or a rejected row, with the reason. test_bad_files.py tests the faults of delimited
files."""

# ruff: noqa: E501 - with one case per line, the tables are easier to read

import gzip
import io
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.catalog.image_paths import ImageRoot
from db.catalog.product import RawProduct
from db.catalog.validation import validate
from loader.errors import LoaderError, MissingColumns, NotACatalog, NothingToLoad, SourceDamaged
from loader.rejects import Reject
from loader.sources import Format, open_source

FIXTURES = Path(__file__).parent / "fixtures"
RSS = b'<rss xmlns:g="http://base.google.com/ns/1.0"><channel>'
END = b"</channel></rss>"
ITEM = b"<item><g:id>1</g:id><g:title>One</g:title></item>"
BIG = b"x" * 10_000_000
SHOPIFY = b"Handle,Title,Option1 Value,Variant SKU,Variant Price,Image Src\n"
BOMB = (
    b'<!DOCTYPE rss [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    + RSS
    + b"<item><g:id>&b;</g:id></item>"
    + END
)
OUTSIDE = b'<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + RSS + b"<item><g:id>&x;</g:id></item>" + END

# Each file has a fault that stops the load before the first row. A case is the name and content of a file, the class
# of the error, a part of the message and a part of the hint.
WHOLE_FILE: dict[str, tuple[str, bytes, type[LoaderError], str, str]] = {
    "XML: empty": ("a.xml", b"", NothingToLoad, "a.xml is empty", ""),
    "XML: a page": ("a.xml", b"<!doctype html><html><body>404", NotACatalog, "a.xml is an HTML page, not a product feed", "without a login"),
    "XML: a page without type": ("a.xml", b"<html></html>", NotACatalog, "is an HTML page", "without a login"),
    "XML: another root": ("a.xml", b"<products><p/></products>", NotACatalog, "root <products>", "<rss> or <feed>"),
    "XML: no items": ("a.xml", RSS + END, NothingToLoad, "a.xml holds no <item> or <entry>", ""),
    "XML: no title": ("a.xml", RSS + b"<item><g:id>1</g:id></item>" + END, MissingColumns, "no column for title; its columns: id", "--map title"),
    "XML: entity bomb": ("a.xml", BOMB, NotACatalog, "has a document type", ""),
    "XML: outside entity": ("a.xml", OUTSIDE, NotACatalog, "has a document type", ""),
    "XML: cut off in the first item": ("a.xml", RSS + b"<item><g:id>1</g:id>", SourceDamaged, "not well-formed XML at line 1", "Is the file complete"),
    "XML: bare ampersand": ("a.xml", RSS + b"<item><g:id>a&b</g:id>", SourceDamaged, "not well-formed XML at line 1, position", "&amp;"),
    "XML: undeclared prefix": ("a.xml", b"<rss><item><g:id>1</g:id></item></rss>", SourceDamaged, "unbound prefix", ""),
    "XML: unknown encoding": ("a.xml", b"<?xml version='1.0' encoding='x-none'?><rss/>", NotACatalog, "is in an encoding that cannot be read: unknown encoding: x-none", "UTF-8"),
    "XML: encoding of several bytes": ("a.xml", b"<?xml version='1.0' encoding='gb2312'?><rss/>", NotACatalog, "is in an encoding that cannot be read: multi-byte", "UTF-8"),
    "XML: 10 MB tag": ("a.xml", RSS + b"<item " + BIG + b"/>", SourceDamaged, "a tag or comment before line 1 is longer than 1 MiB", ""),
    "JSON: a product without title": ("a.json", b'{\n "id": 1,\n "label": "a"\n}\n', MissingColumns, "no column for title; its columns: id, label", "--map title"),
    "JSON: a list without titles": ("a.json", b'[\n {"id": 1},\n {"id": 2}\n]\n', MissingColumns, "no column for title; its columns: id", "--map title"),
    "JSON: a product 500 deep": ("a.json", b'{"id": 1, "title": "a", "x": ' + b"[" * 500 + b"]" * 500 + b"}", SourceDamaged, "nested too deep", ""),
    "JSON: cut off in the first product": ("a.json", b'[\n {"id": 1, "title": ', SourceDamaged, "is not valid JSON at line 2", "complete"),
    "JSON: two lists of one name": ("a.json", b'{"a": [{"id": 1, "title": "a"}],\n "a": [{"id": 2, "title": "b"}]}', SourceDamaged, 'is not valid JSON at line 2: "a" is given twice', ""),
    "JSON Lines: no title": ("a.jsonl", b'{"id": 1}\n', MissingColumns, "no column for title; its columns: id", "--map title"),
    "JSON-LD: no product": ("a.jsonld", b'{"@type": "Organization"}', NotACatalog, "is JSON without a schema.org Product", ""),
    "JSON-LD: cut off": ("a.jsonld", b'{"@type": "Product",\n "name": ', NotACatalog, "is not JSON: Expecting value at line 2, position 10", ""),
    "JSON-LD: not UTF-8": ("a.jsonld", b'{"@type": "Product",\n "name": "\xe9"}', NotACatalog, "not UTF-8: byte 0xE9 at position 32", "" ),
    "JSON-LD: nested too deep": ("a.jsonld", b'{"@type": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", NotACatalog, "nested too deep", ""),
    "JSON-LD: huge": ("a.jsonld", b'{"@type": "Product",\n "name": "' + BIG + BIG + b'"}', NotACatalog, "one JSON document of more than 16 MiB", "JSON Lines"),
    "Parquet: only its first bytes": ("a.parquet", b"PAR1", NotACatalog, "is not a whole Parquet file", "again"),
    "Parquet: cut off": ("a.parquet", b"PAR1" + b"\0" * 1000, NotACatalog, "is not a whole Parquet file", "again"),
    "gzip: cut off": ("a.csv.gz", gzip.compress(b"sku,title\n1,a\n")[:-9], SourceDamaged, "compressed with gzip, and damaged or cut off", "gzip -t"),
    "gzip: twice": ("a.csv.gz", gzip.compress(gzip.compress(b"sku,title\n")), NotACatalog, "is compressed twice with gzip", ""),
    "gzip: nothing in it": ("a.csv.gz", gzip.compress(b""), NothingToLoad, "is empty", ""),
    "gzip: Parquet": ("a.parquet.gz", gzip.compress(b"PAR1" + b"\0" * 100), NotACatalog, "is Parquet compressed with gzip", "gunzip"),
}  # fmt: skip


@pytest.mark.parametrize("case", WHOLE_FILE)
def test_a_fault_that_stops_the_load_raises_an_error_before_the_first_row(case: str, tmp_path: Path):
    name, content, kind, message, hint = WHOLE_FILE[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(LoaderError) as raised:
        open_source(tmp_path / name)
    error = raised.value
    assert type(error) is kind, error.message
    assert name in error.message
    assert message in error.message
    assert hint in (error.hint or "")
    assert "\n" not in error.message


# Each file has a fault in one row. A case is the name of the file, the content before the row, the row, and the content
# after the row. The line number, the SKU and a part of the reason follow, as the list of rejects shows them.
ROWS: dict[str, tuple[str, bytes, bytes, bytes, int, str, str]] = {
    "XML: 10 MB text": ("a.xml", RSS + ITEM, b"\n<item><g:id>2</g:id><g:title>" + BIG + b"</g:title></item>", ITEM + END, 2, "2", "the item is longer than 1 MiB"),
    "XML: a million tags": ("a.xml", RSS + ITEM, b"\n<item><g:id>2</g:id>" + b"<a/>" * 1_100_000 + b"</item>", ITEM + END, 2, "2", "the item is longer than 1 MiB"),
    "XML: 200,000 deep": ("a.xml", RSS + ITEM, b"\n<item><g:id>2</g:id>" + b"<longer>" * 200_000 + b"</longer>" * 200_000 + b"</item>", ITEM + END, 2, "2", "the item is longer than 1 MiB"),
    "XML: two titles": ("a.xml", RSS + ITEM, b"\n<item><g:id>2</g:id><g:title>a</g:title><g:title>b</g:title></item>", ITEM + END, 2, "2", "title has 2 values"),
    "XML: fields inside a title": ("a.xml", RSS + ITEM, b"\n<item><g:id>2</g:id><g:title><g:b>a</g:b></g:title></item>", ITEM + END, 2, "2", "title is an object"),
    "JSON Lines: cut off": ("a.jsonl", b'{"id": 1, "title": "a"}\n', b'{"id": 2, "ti', b'\n{"id": 3, "title": "c"}\n', 2, "", "not JSON: Unterminated string"),
    "JSON Lines: not UTF-8": ("a.jsonl", b'{"id": 1, "title": "a"}\n', b'{"id": 2, "title": "\xe9"}', b'\n{"id": 3, "title": "c"}\n', 2, "", "not UTF-8: byte 0xE9 at position 21 of line 2"),
    "JSON Lines: 10 MB line": ("a.jsonl", b'{"id": 1, "title": "a"}\n', b'{"id": 2, "title": "' + BIG + b'"}', b'\n{"id": 3, "title": "c"}\n', 2, "", "the line is longer than 1 MiB"),
    "JSON Lines: deep": ("a.jsonl", b'{"id": 1, "title": "a"}\n', b"[" * 100_000, b'\n{"id": 3, "title": "c"}\n', 2, "", "nested too deep"),
    "JSON Lines: 500 deep": ("a.jsonl", b'{"id": 1, "title": "a"}\n', b'{"id": 2, "title": "b", "x": ' + b"[" * 500 + b"1" + b"]" * 500 + b"}", b'\n{"id": 3, "title": "c"}\n', 2, "", "nested too deep"),
    "JSON: 500 deep": ("a.json", b'[{"id": 1, "title": "a"},\n', b'{"id": 2, "title": "b", "x": ' + b"[" * 500 + b"1" + b"]" * 500 + b"}", b',\n{"id": 3, "title": "c"}]\n', 2, "", "nested too deep"),
    "JSON Lines: NaN": ("a.jsonl", b'{"id": 1, "title": "a"}\n', b'{"id": 2, "price": NaN}', b'\n{"id": 3, "title": "c"}\n', 2, "", "NaN is not a number that can be stored"),
    "JSON Lines: a name given twice": ("a.jsonl", b'{"id": 1, "title": "a"}\n', b'{"id": 2, "title": "a", "title": "b"}', b'\n{"id": 3, "title": "c"}\n', 2, "", '"title" is given twice'),
    "JSON: a name given twice": ("a.json", b'[{"id": 1, "title": "a"},\n', b'{"id": 2, "x": {"y": 1, "y": 2}}', b',\n{"id": 3, "title": "c"}]\n', 2, "", '"y" is given twice'),
    "JSON Lines: endless digits": ("a.jsonl", b'{"id": 1, "title": "a"}\n', b'{"id": ' + b"9" * 5000 + b"}", b'\n{"id": 3, "title": "c"}\n', 2, "", "digits"),
    "JSON Lines: names alike": ("a.jsonl", b'{"id": 1, "title": "a"}\n', b'{"id": 2, "Title": "a", "title": "b"}', b'\n{"id": 3, "title": "c"}\n', 2, "", 'two columns are called "title"'),
    "JSON-LD: a line without products": ("a.jsonl", b'{"@type": "Product", "sku": 1}\n', b'{"@type": "WebSite"}', b'\n{"@type": "Product"}\n', 2, "", "no schema.org Product on the line"),
    "Shopify: unclosed quote": ("a.csv", SHOPIFY + b"a,A,,1,1,\n", b'b,"B,,2,1,', b"\nc,C,,3,1,\n", 3, "", "a quote is opened on this line and not closed"),
    "Shopify: not UTF-8": ("a.csv", SHOPIFY + b"a,A,,1,1,\n", b"b,\xe9,,2,1,", b"\nc,C,,3,1,\n", 3, "", "not UTF-8: byte 0xE9"),
    "Shopify: 10 MB cell": ("a.csv", SHOPIFY + b"a,A,,1,1,\n", b"b," + BIG + b",,2,1,", b"\nc,C,,3,1,\n", 3, "", "the line is longer than 1 MiB"),
}  # fmt: skip


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.soak) if case == "XML: a million tags" else case for case in ROWS]
)
def test_a_bad_row_is_rejected_and_the_rows_around_it_are_read(case: str, tmp_path: Path):
    name, before, row, after, line, sku, reason = ROWS[case]
    (tmp_path / name).write_bytes(before + row + after)
    found = list(open_source(tmp_path / name).rows())
    [rejected] = [one for one in found if isinstance(one, Reject)]
    assert (rejected.line, rejected.sku) == (line, sku)
    assert reason in rejected.reason
    assert len(found) == 3


DAMAGED: dict[str, tuple[str, bytes, str]] = {
    "XML: cut off": ("a.xml", RSS + ITEM * 5000, "not well-formed XML at line 1, position 245055: no element found"),
    "XML: a mistake": ("a.xml", RSS + ITEM * 5000 + b"\n<item>&nbsp;</item>" + END, "at line 2, position 7: undefined entity"),
    "gzip: cut off": ("a.csv.gz", gzip.compress(b"sku,title\n" + b"".join(b"%d,a\n" % n for n in range(100_000)))[:-500], "damaged or cut off"),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_yields_rows_and_then_the_error(case: str, tmp_path: Path):
    name, content, message = DAMAGED[case]
    (tmp_path / name).write_bytes(content)
    rows, error = until_damaged(tmp_path / name)
    assert message in error
    assert rows >= 4000


def test_the_items_before_a_mistake_in_xml_are_read(tmp_path: Path):
    (tmp_path / "a.xml").write_bytes(RSS + ITEM * 2 + b"\n<item>&nbsp;</item>" + ITEM + END)
    assert until_damaged(tmp_path / "a.xml")[0] == 2


def until_damaged(path: Path) -> tuple[int, str]:
    """Returns the number of rows before the error and the message of the error."""
    rows = 0
    try:
        for _ in open_source(path).rows():
            rows += 1
    except SourceDamaged as error:
        return rows, error.message
    raise AssertionError(f"{path.name} was read without an error")


def test_a_damaged_page_of_parquet_yields_the_rows_before_it_and_then_the_error(tmp_path: Path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pyarrow.table({"sku": [str(n) for n in range(20_000)], "title": [f"Title {n}" for n in range(20_000)]})
    parquet.write_table(table, tmp_path / "a.parquet", row_group_size=5_000, compression="snappy")
    content = bytearray((tmp_path / "a.parquet").read_bytes())
    place = parquet.ParquetFile(tmp_path / "a.parquet").metadata.row_group(2).column(1).data_page_offset
    content[place : place + 200] = b"\xff" * 200
    (tmp_path / "a.parquet").write_bytes(content)
    rows, error = until_damaged(tmp_path / "a.parquet")
    assert f"a.parquet cannot be read after row {rows:,}" in error
    assert 5_000 <= rows < 20_000


def test_parquet_text_that_is_not_utf8_rejects_only_its_row(tmp_path: Path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    titles = pyarrow.array([b"One", b"caf\xe9", b"Three"]).cast(pyarrow.binary()).view(pyarrow.string())
    parquet.write_table(pyarrow.table({"sku": ["1", "2", "3"], "title": titles}), tmp_path / "a.parquet")
    found = list(open_source(tmp_path / "a.parquet").rows())
    assert [type(one) for one in found] == [RawProduct, Reject, RawProduct]
    assert isinstance(found[1], Reject) and found[1] == Reject(2, "2", "title is not UTF-8")


def test_image_bytes_in_parquet_are_reported_as_a_faulty_image(tmp_path: Path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"sku": ["1"], "title": ["a"], "image": [b"\x89PNG"]}), tmp_path / "a.parquet")
    [found] = open_source(tmp_path / "a.parquet").rows()
    assert isinstance(found, RawProduct)
    reason = "image is a bytes value, which cannot be stored; if it is an image, give its path or address instead"
    assert list(found.faults) == [("image", reason)]


def test_decompression_stops_at_200_times_the_size_of_a_gzip_file(tmp_path: Path):
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb") as file:
        file.write(b"sku,title\n")
        for _ in range(200):
            file.write(b"x" * (1 << 20))
    (tmp_path / "a.csv.gz").write_bytes(packed.getvalue())
    with pytest.raises(SourceDamaged, match="decompresses to more than 200 times its size"):
        list(open_source(tmp_path / "a.csv.gz").rows())


def big_feed(name: str, path: Path, rows: int, text: str) -> None:
    if name == "parquet":
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        table = pyarrow.table({"sku": [str(n) for n in range(rows)], "title": [f"{n} {text}" for n in range(rows)]})
        parquet.write_table(table, path, use_dictionary=False, compression="none")  # one row group
        return
    with path.open("w") as file:
        if name == "xml":
            file.write(RSS.decode())
            file.writelines(f"<item><g:id>{n}</g:id><g:title>{text}</g:title></item>\n" for n in range(rows))
            file.write(END.decode())
        elif name == "jsonl":
            file.writelines(f'{{"id": {n}, "title": "{text}"}}\n' for n in range(rows))
        else:
            file.write(SHOPIFY.decode())
            file.writelines(f"h{n},{text},,{n},1,\n" for n in range(rows))


@pytest.mark.parametrize("name", ["xml", "jsonl", "shopify", "parquet"])
def test_reading_a_feed_of_12_mb_needs_less_than_8_mib_of_memory(name: str, tmp_path: Path):
    """tracemalloc measures the memory that Python allocates, not the memory of pyarrow and SQLite.
    benchmarks/loading/feed.py measures the memory of the whole process."""
    path = tmp_path / f"a.{name}"
    big_feed(name, path, 6_000, "x" * 2_000)
    assert path.stat().st_size > 12_000_000
    tracemalloc.start()
    try:
        source = open_source(path)
        assert sum(isinstance(row, RawProduct) for row in source.rows()) == 6_000
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
        assert source.done == source.size
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["xml", "jsonl"])
def test_progress_counts_bytes_of_the_packed_file(name: str, tmp_path: Path):
    big_feed(name, tmp_path / "a", 5_000, "x" * 300)
    (tmp_path / f"a.{name}.gz").write_bytes(gzip.compress((tmp_path / "a").read_bytes()))
    source = open_source(tmp_path / f"a.{name}.gz")
    seen = [source.done for _ in source.rows()]
    assert seen == sorted(seen)
    assert source.done == source.size == (tmp_path / f"a.{name}.gz").stat().st_size


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    """Draws a feed of tests/loader/fixtures in which one to three passages are deleted, overwritten or inserted."""
    name = draw(st.sampled_from(sorted(path.name for path in FIXTURES.iterdir())))
    content = (FIXTURES / name).read_bytes()
    for _ in range(draw(st.integers(1, 3))):
        place, length = draw(st.integers(0, len(content))), draw(st.integers(0, 40))
        between = draw(
            st.binary(max_size=8) | st.sampled_from([b'"', b"\n", b"{", b"[", b"<", b"&", b"null", b"1e999"])
        )
        content = content[:place] + between + content[place + length :]
    return name, content


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(feed=damaged(), kind=st.none() | st.sampled_from([kind for kind in Format if kind is not Format.FOLDER]))
def test_a_randomly_damaged_feed_gives_rows_and_rejects_or_a_loader_error(
    feed: tuple[str, bytes], kind: Format | None, tmp_path: Path
):
    name, content = feed
    (tmp_path / name).write_bytes(content)
    try:
        for found in open_source(tmp_path / name, kind=kind).rows():
            if isinstance(found, RawProduct):
                validate(found, ImageRoot(tmp_path))
    except LoaderError:
        pass


def test_json_lines_with_an_invalid_first_line_are_still_recognised(tmp_path: Path):
    (tmp_path / "a.jsonl").write_text('{"id": 1, "title": "a\n{"id": 2, "title": "b"}\n')
    found: list[Any] = list(open_source(tmp_path / "a.jsonl").rows())
    assert [type(one) for one in found] == [Reject, RawProduct]


def test_a_file_that_is_not_in_the_given_format_is_refused(tmp_path: Path):
    (tmp_path / "a.csv").write_text("sku,title\n1,a\n")
    for kind, message in (
        (Format.JSONL, "a.csv is not JSON Lines; line 1: not JSON"),
        (Format.JSONLD, "a.csv is not JSON"),
        (Format.PARQUET, "a.csv is not a whole Parquet file"),
        (Format.SHOPIFY, 'a.csv is not a Shopify export: it has no column "handle"'),
        (Format.WOOCOMMERCE, 'a.csv is not a WooCommerce export: it has no column "name"'),
        (Format.JSON, "a.csv is not JSON: it begins with neither"),
        (Format.SHOPEE, "a.csv is not in the Shopee layout"),
    ):
        with pytest.raises(NotACatalog, match=message):
            open_source(tmp_path / "a.csv", kind=kind)
