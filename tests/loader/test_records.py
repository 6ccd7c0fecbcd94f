"""A fault in delimited text rejects only its own line, even where csv.reader would hide the fault or crash."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loader.rejects import Reject
from loader.sources.reading.lines import BOM, MAX_RECORD, Lines
from loader.sources.reading.records import Record, Records


def read(data: bytes, delimiter: str = ",") -> list[Record | Reject]:
    return list(Records(io.BytesIO(data), delimiter))


def reasons(found: list[Record | Reject]) -> list[tuple[int, str]]:
    return [
        (item.line, item.reason if isinstance(item, Reject) else item.fault or "")
        for item in found
        if isinstance(item, Reject) or item.fault
    ]


def cells(found: list[Record | Reject]) -> list[list[str]]:
    return [item.cells for item in found if isinstance(item, Record) and item.fault is None]


def test_a_quoted_cell_may_contain_delimiters_and_quotes_and_line_ends():
    assert cells(read(b'a,"b, ""c""\nd"\r\ne,f')) == [["a", 'b, "c"\nd'], ["e", "f"]]


@pytest.mark.parametrize("bom", [b"", BOM])
def test_a_line_over_the_limit_is_dropped_whole_also_if_it_is_the_first_line(bom: bytes):
    longest = b"x" * (MAX_RECORD - 1) + b"\n"
    assert list(Lines(io.BytesIO(bom + longest + b"y"))) == [(1, longest), (2, b"y")]
    for more in range(1, 6):
        assert list(Lines(io.BytesIO(bom + b"x" * more + longest + b"y"))) == [(1, None), (2, b"y")]


def test_a_formula_that_only_returns_a_text_is_read_as_the_text():
    assert cells(read(b'="00123",Chair,"=""4006381333931"""\n=,"<a href=""x"">",="a"b\n')) == [
        ["00123", "Chair", "4006381333931"],
        ["=", '<a href="x">', '="a"b'],
    ]


def test_a_record_has_the_line_number_of_its_first_line():
    assert [item.line for item in read(b'a\n"b\nb"\n\nc\n')] == [1, 2, 5]


def test_a_byte_order_mark_is_not_part_of_the_first_cell():
    assert cells(read(b"\xef\xbb\xbfsku,title\n")) == [["sku", "title"]]


def test_a_quote_that_is_never_closed_rejects_only_its_own_line():
    found = read(b'1,a\n2,"b\n3,c\n4,d\n')
    assert cells(found) == [["1", "a"], ["3", "c"], ["4", "d"]]
    assert reasons(found) == [(2, "a quote is opened on this line and not closed")]


def test_an_unclosed_quote_before_a_later_quoted_cell_rejects_only_its_own_line():
    found = read(b'1,"a\n2,b\n3,"c"\n4,d\n')
    assert cells(found) == [["2", "b"], ["3", "c"], ["4", "d"]]
    assert reasons(found) == [(1, "a quote is opened on this line and not closed")]


def test_a_line_with_text_after_a_closing_quote_is_rejected():
    found = read(b'1,"a" b\n2,c\n')
    assert cells(found) == [["2", "c"]]
    assert "text follows a closing quote" in reasons(found)[0][1]


def test_a_line_of_ten_mebibytes_is_rejected():
    found = read(b"1," + b"x" * (10 << 20) + b"\n2,b\n")
    assert reasons(found) == [(1, "the line is longer than 1 MiB")]
    assert cells(found) == [["2", "b"]]


def test_a_cell_over_the_limit_of_the_csv_module_is_rejected():
    found = read(b"1," + b"x" * (csv.field_size_limit() + 1) + b"\n2,b\n")
    assert reasons(found) == [(1, f"a cell is longer than {csv.field_size_limit():,} characters")]
    assert cells(found) == [["2", "b"]]


def test_a_quote_that_is_open_beyond_the_longest_record_rejects_only_its_own_line():
    lines = b"".join(b"%d,x\n" % n for n in range(MAX_RECORD // 4))
    found = read(b'1,"a\n' + lines)
    assert reasons(found)[0][0] == 1
    assert len(cells(found)) == MAX_RECORD // 4


def test_a_record_that_is_not_utf8_is_rejected_with_the_invalid_byte():
    found = read(b"1,a\n2,caf\xe9\n3,b\n")
    assert cells(found) == [["1", "a"], ["3", "b"]]
    assert reasons(found)[0][1].startswith("not UTF-8: byte 0xE9 at position 6 of line 2; save the file as UTF-8")


def test_a_bare_carriage_return_rejects_only_its_line():
    found = read(b"1,a\rb\n2,c\n")
    assert cells(found) == [["2", "c"]]
    assert "carriage return" in reasons(found)[0][1]


@settings(deadline=None)
@given(st.lists(st.lists(st.text(st.characters(codec="utf-8")), min_size=2, max_size=4), max_size=8))
def test_rows_that_the_csv_module_writes_are_read_back(rows: list[list[str]]):
    rows = [[cell.strip(" ").replace("\r", "") for cell in row] for row in rows]
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    assert cells(read(text.getvalue().removeprefix("\ufeff").encode())) == rows


@settings(deadline=None)
@given(st.binary(max_size=300) | st.text('a,"\n\r;', max_size=60).map(str.encode))
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_any_bytes_become_records_or_rejects_in_order(delimiter: str, data: bytes):
    lines = [item.line for item in read(data, delimiter)]
    assert lines == sorted(set(lines))
