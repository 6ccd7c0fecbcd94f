"""A faulty catalog file gives one error message and an exit code. If only some rows are faulty, the other rows are
loaded."""

import csv
import os
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy import text
from typer.testing import CliRunner, Result

from db.engine import Database
from db.errors import SettingsError, WindowshopError
from db.roles import Role
from loader.errors import (
    LoaderError,
    MissingColumns,
    NotACatalog,
    NothingToLoad,
    RejectsUnwritable,
    RowsRejected,
    SourceDamaged,
    SourceUnreadable,
)
from loader.sources import open_source
from loader.sources.reading import json_stream
from loader.sources.reading.catalog_file import CatalogFile
from windowshop.load import load as load_command

Load = Callable[..., Result]
NOBODY = 65534  # the id of a user without rights


@pytest.fixture
def load(
    emptied_database: Database,
    environment: Callable[[Database], dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Load:
    """Returns a function that runs `windowshop load ...` in an empty working folder, into an empty catalog."""
    for name, value in environment(emptied_database).items():
        monkeypatch.setenv(name, value)
    working = tmp_path / "working"
    working.mkdir()
    monkeypatch.chdir(working)
    command = typer.Typer()
    command.command()(load_command)
    return lambda *arguments: CliRunner().invoke(command, [str(argument) for argument in arguments])


def skus(database: Database) -> list[str]:
    with database.connect(Role.APP) as conn:
        return list(conn.scalars(text("select sku from shop.product order by sku")))


def listed(path: Path) -> list[tuple[str, str, str]]:
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["line", "sku", "reason"]
    return [(line, sku, reason) for line, sku, reason in rows[1:]]


def error_of(result: Result) -> WindowshopError:
    assert isinstance(result.exception, WindowshopError), result.output
    assert "\n" not in result.exception.message
    return result.exception


# A case is the content of a file, the class of the error, a part of the message and a part of the hint.
WHOLE_FILE: dict[str, tuple[bytes, type[LoaderError], str, str]] = {
    "empty": (b"", NothingToLoad, "is empty", "header line"),
    "only a byte order mark": (b"\xef\xbb\xbf\n", NothingToLoad, "is empty", "header line"),
    "header only": (b"sku,title\n", NothingToLoad, "holds no rows", "Nothing was changed"),
    "missing column": (b"id,label\n1,a\n", MissingColumns, "no column for title; its columns: id, label", "--map"),
    "no needed column": (b"a,b\n1,2\n", MissingColumns, "no column for sku and title; its columns: a, b", "--map sku="),
    "unknown delimiter": (b"sku^title\n1^a\n", MissingColumns, "its columns: sku^title", "separated by comma"),
    "two columns alike": (b"sku,title,Title\n1,a,b\n", NotACatalog, 'two columns are called "Title"', "Rename"),
    "header not UTF-8": (b"sku,title,gr\xf6\xdfe\n1,a,b\n", NotACatalog, "byte 0xF6 at position 13 of line 1", ""),
    "unknown quoted names": (b'"OXID";"OXTITLE"\n"1";"a"\n', MissingColumns, "no column for sku and title; its", ""),
    "header with an open quote": (b'sku,"title\n1,a\n', NotACatalog, "header in line 1 cannot be read: a quote", ""),
    "spreadsheet": (b"PK\x03\x04rest", NotACatalog, "is a zip archive or a spreadsheet", "CSV in UTF-8"),
    "not really gzipped": (b"\x1f\x8brest", SourceDamaged, "compressed with gzip, and damaged", "gzip -t"),
    "bare carriage returns": (b"sku,title\r1,a\r", NotACatalog, "bare carriage return", "LF"),
    "one endless line": (b"x" * 10_000_000, NotACatalog, "no line end in its first 64 KiB", "CSV"),
}  # fmt: skip


@pytest.mark.parametrize("case", WHOLE_FILE)
def test_a_file_that_is_not_a_catalog_raises_an_error_and_loads_no_row(
    case: str, load: Load, emptied_database: Database, tmp_path: Path
):
    content, kind, message, hint = WHOLE_FILE[case]
    (tmp_path / "goods.csv").write_bytes(content)
    error = error_of(load(tmp_path / "goods.csv"))
    assert type(error) is kind
    assert error.exit_code == 6
    assert "goods.csv" in error.message
    assert message in error.message
    assert hint in (error.hint or "")
    assert skus(emptied_database) == []
    assert list(Path.cwd().iterdir()) == []


GOOD = b"good,Good one,5,\n"
ROWS: dict[str, tuple[bytes, str, str, str]] = {  # a bad row, and its line, SKU and reason in the list of rejects
    "Latin-1": (b"bad,Caf\xe9,5,\n", "3", "bad", "not UTF-8: byte 0xE9 at position 8 of line 3"),
    "invalid UTF-8": (b"bad,\xff\xfe,5,\n", "3", "bad", "not UTF-8: byte 0xFF at position 5 of line 3"),
    "surrogate in UTF-8": (b"bad,\xed\xa0\x80,5,\n", "3", "bad", "not UTF-8: byte 0xED"),
    "NUL": (b"bad,a\0b,5,\n", "3", "bad", "title has a NUL character"),
    "NUL in a path": (b"bad,a,5,a\0.jpg\n", "3", "bad", "an image path has a NUL character"),
    "control character in the SKU": (b"b\x1bad,a,5,\n", "3", "b\\x1bad", "sku has a control character"),
    "unclosed quote": (b'bad,"a,5,\n', "3", "", "a quote is opened on this line and not closed"),
    "10 MB cell": (b"bad," + b"x" * 10_000_000 + b",5,\n", "3", "", "the line is longer than 1 MiB"),
    "10 MB quoted cell": (b'bad,"' + b"x" * 10_000_000 + b'",5,\n', "3", "", "the line is longer than 1 MiB"),
    "200 kB cell": (b"bad," + b"x" * 200_000 + b",5,\n", "3", "", "a cell is longer than 131,072 characters"),
    "too few cells": (b"bad,a\n", "3", "bad", "the row has 2 cells, the header 4"),
    "too many cells": (b"bad,a,5,,6\n", "3", "bad", "the row has 5 cells, the header 4"),
    "duplicate": (b"first,again,5,\n", "3", "first", "SKU first is on line 2 already"),
    "no SKU": (b" ,a,5,\n", "3", "", "sku is empty"),
    "no title": (b"bad,,5,\n", "3", "bad", "title is empty"),
    "long SKU": (b"x" * 201 + b",a,5,\n", "3", "x" * 200, "sku is 201 characters long; at most 200 are allowed"),
    "long title": (
        b"bad," + b"x" * 2001 + b",5,\n", "3", "bad", "title is 2,001 characters long; at most 2,000 are allowed",
    ),
    "negative price": (b"bad,a,-5,\n", "3", "bad", 'price "-5" is negative'),
    "NaN": (b"bad,a,NaN,\n", "3", "bad", 'price "NaN" is not a number'),
    "infinite price": (b"bad,a,Infinity,\n", "3", "bad", 'price "Infinity" is not a number'),
    "1e999": (b"bad,a,1e999,\n", "3", "bad", 'price "1e999" is not a number'),
    "huge price": (b"bad,a,10000000000,\n", "3", "bad", 'price "10000000000" is over 9,999,999,999.99'),
    "..": (b"bad,a,5,../../etc/passwd\n", "3", "bad", 'image "../../etc/passwd" leaves the image root'),
    "absolute": (b"bad,a,5,/etc/passwd\n", "3", "bad", 'image "/etc/passwd" is absolute'),
    "backslash": (b"bad,a,5,..\\a.jpg\n", "3", "bad", "leaves the image root"),
    "link out": (b"bad,a,5,link.jpg\n", "3", "bad", 'image "link.jpg" is a link that leaves the image root'),
    "file address": (b"bad,a,5,file:///etc/passwd\n", "3", "bad", 'begins with "file:"'),
    "every fault": (b"bad,,-5,/x\n", "3", "bad", 'title is empty; price "-5" is negative; image "/x" is absolute'),
    "101 images": (b"bad,a,5," + b"|".join(b"%d.jpg" % n for n in range(101)) + b"\n", "3", "bad", "101 images"),
    "formula": (b"=cmd(),,5,\n", "3", "'=cmd()", "title is empty"),  # a spreadsheet does not run a formula after '
}  # fmt: skip


@pytest.mark.parametrize("case", ROWS)
def test_a_bad_row_is_listed_and_the_other_rows_are_loaded(
    case: str, load: Load, emptied_database: Database, tmp_path: Path
):
    row, line, sku, reason = ROWS[case]
    (tmp_path / "link.jpg").symlink_to("/etc/passwd")
    (tmp_path / "goods.csv").write_bytes(b"sku,title,price,image\nfirst,First one,5,\n" + row + GOOD)
    result = load(tmp_path / "goods.csv", "--strict")
    error = error_of(result)
    assert type(error) is RowsRejected
    assert error.exit_code == 6
    assert error.message == ("1 of 3 rows rejected, listed in goods.rejects.csv; the other 2 loaded")
    assert skus(emptied_database) == ["first", "good"]
    [(listed_line, listed_sku, listed_reason)] = listed(Path("goods.rejects.csv"))
    assert (listed_line, listed_sku) == (line, sku)
    assert reason in listed_reason
    assert [path.name for path in Path.cwd().iterdir()] == ["goods.rejects.csv"]


def test_valid_rows_with_unusual_titles_are_loaded_with_these_titles(
    load: Load, emptied_database: Database, tmp_path: Path
):
    content = '\ufeffsku;title;image\n1;=cmd();%2e%2e/a.jpg\n\n2;"a ""b""; c";\n3;Zoë 🧑‍🚀;\n;;\n'
    (tmp_path / "goods.csv").write_text(content, encoding="utf-8")
    assert load(tmp_path / "goods.csv").exit_code == 0
    with emptied_database.connect(Role.APP) as conn:
        titles = conn.scalars(text("select title from shop.product order by sku")).all()
    assert titles == ["=cmd()", 'a "b"; c', "Zoë 🧑‍🚀"]
    assert list(Path.cwd().iterdir()) == []


def test_a_path_to_a_missing_file_or_a_loop_of_links_or_a_device_or_a_socket_is_an_error(load: Load, tmp_path: Path):
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    (tmp_path / "folder.csv").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s.csv"))
        for path, message in (
            (tmp_path / "missing.csv", "cannot read .*missing.csv: No such file or directory"),
            (tmp_path / "loop.csv", "cannot read .*loop.csv: .*symbolic links"),
            (Path("/dev/zero"), "/dev/zero is a device or socket, not a file"),
            (tmp_path / "s.csv", "s.csv is a device or socket, not a file"),
        ):
            error = error_of(load(path))
            assert type(error) is SourceUnreadable
            assert re.search(message, error.message)


def test_a_pipe_is_refused_without_opening_it(tmp_path: Path):
    """`windowshop load` copies a pipe and then opens the copy. A table of judgements is not copied, so it cannot be a
    pipe: opening a pipe would wait for a writer."""
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(SourceUnreadable, match="pipe.csv is a pipe, not a file"):
        CatalogFile(tmp_path / "pipe.csv")


@pytest.mark.parametrize("locked", ["goods.csv", "."])
def test_a_path_without_read_permission_is_an_error(locked: str, load: Load, public_folder: Path):
    folder = public_folder / "locked"
    folder.mkdir(exist_ok=True)
    (folder / "goods.csv").write_text("sku,title\n1,a\n")
    (folder / locked).chmod(0)
    try:
        if is_root := os.geteuid() == 0:  # root may read every file
            os.seteuid(NOBODY)
        error = error_of(load(folder / "goods.csv"))
    finally:
        if is_root:
            os.seteuid(0)
        (folder / locked).chmod(0o755)
    assert type(error) is SourceUnreadable
    assert error.message.endswith("goods.csv: Permission denied")


def test_a_read_error_halfway_through_the_file_keeps_the_rows_before_the_error(
    load: Load, emptied_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from loader.sources.reading.lines import Lines

    (tmp_path / "goods.csv").write_text("sku,title\n" + "".join(f"{n},a\n" for n in range(100)))
    read = Lines.__next__

    def failing(lines: Lines) -> tuple[int, bytes | None]:
        number, line = read(lines)
        if number == 61:
            raise OSError(5, "Input/output error")
        return number, line

    monkeypatch.setattr(Lines, "__next__", failing)
    monkeypatch.setattr("loader.chunks.CHUNK_ROWS", 25)
    error = error_of(load(tmp_path / "goods.csv"))
    assert type(error) is SourceUnreadable
    assert "goods.csv: Input/output error" in error.message
    assert "59 rows are loaded; run the same command again to load the others" in (error.hint or "")
    assert len(skus(emptied_database)) == 59


def test_a_rejects_file_that_cannot_be_written_stops_the_load_before_it_begins(
    load: Load, emptied_database: Database, tmp_path: Path
):
    catalog = tmp_path / "goods.csv"
    catalog.write_text("sku,title\n1,a\n2,\n")
    for rejects in (tmp_path, tmp_path / "missing" / "rejects.csv", catalog):
        assert type(error_of(load(catalog, "--rejects", rejects))) is RejectsUnwritable
    assert skus(emptied_database) == []
    assert catalog.read_text() == "sku,title\n1,a\n2,\n"


def test_an_invalid_option_gives_an_error_that_names_the_fault(load: Load, tmp_path: Path):
    catalog = tmp_path / "goods.csv"
    catalog.write_text("sku,title\n1,a\n")
    for arguments, message in (
        (("--map", "title"), "is not FIELD=COLUMN"),
        (("--map", "tilte=title"), 'there is no field "tilte"'),
        (("--map-values", "availability=x"), "is not FIELD:VALUE=VALUE"),
        (("--map-values", "colour_of_eyes:a=b"), 'there is no field "colour_of_eyes"'),
        (("--currency", "coins"), 'currency "coins" is not a code of three letters'),
        (("--encoding", "windows-9"), 'there is no encoding "windows-9"'),
        (("--encoding", "base64"), 'there is no encoding "base64"'),
        (("--base-url", "media"), '"media" is no address'),
        (("--format", "xml"), 'there is no format "xml"'),
        (("--catalog", "Main!"), '"Main!" cannot be the name of a catalog'),
        (("--format", "folder", "--map", "title=a"), "a folder of images has no columns"),
    ):
        error = error_of(load(catalog, *arguments))
        assert type(error) is SettingsError
        assert message in error.message
    assert 'has no column "Name" for title' in error_of(load(catalog, "--map", "title=Name")).message
    assert "is not a folder" in error_of(load(catalog, "--image-root", tmp_path / "missing")).message
    assert "is not in the Shopee layout" in error_of(load(catalog, "--format", "shopee")).message


def test_a_database_without_schema_is_an_error(
    load: Load,
    databases: Any,
    environment: Callable[[Database], dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
):
    empty = databases.open(databases.create())
    monkeypatch.setenv("WINDOWSHOP_DATABASE_URL", environment(empty)["WINDOWSHOP_DATABASE_URL"])
    (tmp_path / "goods.csv").write_text("sku,title\n1,a\n")
    error = error_of(load(tmp_path / "goods.csv"))
    assert "has no Windowshop schema" in error.message
    assert "db upgrade" in (error.hint or "")


def test_a_json_value_without_an_end_is_scanned_in_linear_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scanned: list[int] = []

    class Token:
        def finditer(self, document: str, start: int) -> Any:
            scanned.append(len(document) - start)
            return token.finditer(document, start)

    token = json_stream._TOKEN
    monkeypatch.setattr(json_stream, "_TOKEN", Token())
    path = tmp_path / "feed.json"
    size = 3_000_000
    path.write_text("[" * size)
    with pytest.raises(SourceDamaged, match="a value has no end"):
        list(open_source(path).rows())
    assert sum(scanned) <= 4 * size
