"""`windowshop load https://...` downloads and loads a file. With `--watch`, a load follows each change of the file."""

import gzip
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from db.engine import Database
from db.errors import SettingsError
from loader.errors import SourceUnreadable
from loader.remote_file import RemoteFile, is_address
from loader.settings import FeedSettings
from loader.watch import watch
from tests.support.loading import load_catalog, stored
from tests.support.processes import COMMAND, wait_until, windowshop
from tests.support.scripted_server import ScriptedServer, dripping, redirect, response, scripted_server

REPOSITORY = Path(__file__).parents[2]
TABLE = b"sku,title,price,image\n1,Red bag,5,images/a.jpg\n2,Blue bag,6,/b.jpg\n"


@pytest.fixture
def site() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "copies").mkdir()
    return tmp_path / "copies"


def remote(address: str, folder: Path, **settings: Any) -> RemoteFile:
    return RemoteFile(address, FeedSettings(**{"attempts": 1, "seconds": 5, **settings}), folder)


def failure(address: str, folder: Path, **settings: Any) -> str:
    with pytest.raises(SourceUnreadable) as raised:
        remote(address, folder, **settings).refresh()
    assert list(folder.iterdir()) == []
    return raised.value.message


def test_a_path_is_not_an_address_and_an_address_with_another_scheme_is_refused() -> None:
    assert is_address("https://shop.example/feed.xml") and is_address("HTTP://shop.example")
    for path in ("feed.csv", "/a/b://c", "C:/feed.csv", "folder/"):
        assert not is_address(path)
    for address in ("ftp://shop.example/feed.csv", "s3://bucket/feed.csv", "file:///feed.csv"):
        with pytest.raises(SettingsError, match="cannot be loaded from an address that begins with"):
            is_address(address)


def test_a_file_at_an_address_is_loaded_and_image_paths_are_resolved_against_the_address(
    database: Database, environment: Any, site: ScriptedServer, tmp_path: Path
) -> None:
    site.answers["/export/goods.csv?key=opensesame"] = response(TABLE)
    address = site.url("/export/goods.csv")
    env = {**environment(database), "PYTHONPATH": str(REPOSITORY), "COLUMNS": "200", "TMPDIR": str(tmp_path)}
    done = windowshop("load", f"{address}?key=opensesame", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == (
        f"2 rows of {address} (delimited), catalog main: 2 new, 0 changed, 0 unchanged, 0 rejected; images changed: 2"
    )
    assert "opensesame" not in done.stdout + done.stderr
    images = {sku: product["images"] for sku, product in stored(database).items()}
    assert images == {"1": [site.url("/export/images/a.jpg")], "2": [site.url("/b.jpg")]}
    assert list(tmp_path.glob("windowshop-*")) == []
    done = windowshop("load", site.url("/other.csv?key=opensesame"), env=env, cwd=tmp_path)
    assert done.returncode == 6
    assert done.stderr.startswith(f"error: cannot download {site.url('/other.csv')}: the server answers 404\n")
    assert "opensesame" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (response(b"no", 403), "the server answers 403"),
        (response(b"no", 401), "the server answers 401"),
        (response(b"busy", 503), "the server answers 503"),
        (response(b"x" * 2000), "2000 bytes; at most 1000 are allowed"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 2000, "more than 1000 bytes"),
        (response(b"half", Content_Length="400"), "peer closed connection without sending complete message body"),
        (response(b"?", Content_Encoding="br"), "sent with Content-Encoding br"),
        (redirect("http://127.0.0.2/feed.csv"), "leads to an address that is not public"),
        (redirect("http://127.0.0.1:1/feed.csv"), "redirected: port 1 is not allowed"),
        (redirect("file:///etc/passwd"), "redirected: a URL with the scheme file is not fetched"),
    ],
)
def test_the_error_about_a_failed_download_names_the_address_without_the_query(
    site: ScriptedServer, folder: Path, answer: bytes, reason: str
) -> None:
    site.answers["/feed.csv?key=opensesame"] = answer
    message = failure(site.url("/feed.csv?key=opensesame"), folder, max_bytes=1000)
    assert message.startswith(f"cannot download {site.url('/feed.csv')}: ") and reason in message
    assert "opensesame" not in message and "WINDOWSHOP_ENCODER" not in message


def test_an_attempt_ends_after_the_stall_limit_and_after_the_time_limit(site: ScriptedServer, folder: Path) -> None:
    def stalling(send: Any) -> None:
        send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        time.sleep(3)

    site.answers["/feed.csv"] = stalling
    assert "no data within 0.2 seconds" in failure(site.url("/feed.csv"), folder, seconds=600, stall_seconds=0.2)
    site.answers["/feed.csv"] = dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x")
    assert "no complete answer within 0.5 seconds" in failure(site.url("/feed.csv"), folder, seconds=0.5)


def test_a_failed_attempt_is_repeated_from_the_start_of_the_file(site: ScriptedServer, folder: Path) -> None:
    site.answers["/feed.csv"] = [response(b"x" * 500, Content_Length="1000"), response(b"busy", 503), response(TABLE)]
    feed = remote(site.url("/feed.csv"), folder, attempts=3, seconds=30)
    feed.refresh()
    assert feed.path.read_bytes() == TABLE
    assert len(site.requests) == 3


def test_a_gzip_encoded_body_is_read(emptied_database: Database, site: ScriptedServer, folder: Path) -> None:
    site.answers["/feed.csv"] = response(gzip.compress(TABLE), Content_Encoding="gzip")
    feed = remote(site.url("/feed.csv"), folder)
    feed.refresh()
    assert load_catalog(emptied_database, feed.path).inserted == 2


def test_credentials_are_sent_only_to_the_origin_of_the_given_address(site: ScriptedServer, folder: Path) -> None:
    with scripted_server() as other:
        other.answers["/feed.csv"] = response(TABLE)
        site.answers["/start"] = redirect("/feed.csv")
        site.answers["/feed.csv"] = response(TABLE)
        for settings, header in (
            ({"user": "shop", "password": "opensesame"}, "Basic c2hvcDpvcGVuc2VzYW1l"),
            ({"token": "opensesame"}, "Bearer opensesame"),
        ):
            site.requests.clear()
            remote(site.url("/start"), folder, **settings).refresh()
            assert [(path, headers["Authorization"]) for path, headers in site.requests] == [
                ("/start", header),
                ("/feed.csv", header),
            ]
            feed = remote(site.url("/away"), folder, **settings)
            feed._fetcher._reachable.ports.append(other.port)
            site.answers["/away"] = redirect(other.url("/feed.csv"))
            feed.refresh()
            assert other.requests[-1][1]["Authorization"] is None


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"user": "shop"}, "needed together"),
        ({"password": "opensesame"}, "needed together"),
        ({"user": "a:b", "password": "opensesame"}, "no colon"),
        ({"token": "opensesame\r\nHost: other"}, "printable ASCII"),
        ({"token": "opensesame", "user": "shop", "password": "x"}, "two ways"),
    ],
)
def test_invalid_credentials_are_refused_and_not_shown(settings: dict[str, str], reason: str, folder: Path) -> None:
    with pytest.raises(SettingsError, match=reason) as raised:
        remote("https://shop.example/feed.csv", folder, **settings)
    assert "opensesame" not in f"{raised.value.message} {FeedSettings(**settings)!r}"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "address", ["https://me:opensesame@shop.example/feed", "http://", "http://shop.example:x/feed"]
)
def test_an_address_with_a_password_or_without_a_host_or_with_a_wrong_port_is_refused(
    address: str, folder: Path
) -> None:
    with pytest.raises(SettingsError) as raised:
        remote(address, folder)
    assert "opensesame" not in raised.value.message


@pytest.mark.parametrize(
    ("path", "name"),
    [("/a/goods.csv", "goods.csv"), ("/", "feed"), ("/a/..%2f..%2fx", "x"), ("/%e4%b8%ad/b c.xml", "b_c.xml")],
)
def test_the_copy_has_the_name_of_the_file_and_stays_in_the_folder_of_copies(
    folder: Path, path: str, name: str
) -> None:
    copy = remote(f"https://shop.example{path}", folder).path
    assert copy.parent == folder
    assert copy.name == name


def test_a_watched_file_is_loaded_again_only_after_a_change(
    emptied_database: Database, site: ScriptedServer, folder: Path
) -> None:
    changed = TABLE.replace(b"Red", b"Green")
    steps: list[tuple[bytes, str]] = [
        (response(TABLE, ETag='"1"'), "2 new, 0 changed"),
        (response(status=304), ""),
        (response(b"busy", 503), f"error: cannot download {site.url('/feed.csv')}: the server answers 503"),
        (response(changed, ETag='"2"', Last_Modified="Sat, 28 Nov 2026 10:00:00 GMT"), "0 new, 1 changed"),
        (response(changed, Last_Modified="Sat, 28 Nov 2026 11:00:00 GMT"), ""),  # a new date, but the same content
        (response(b"nothing"), "error: "),
        (response(status=200), "error: "),
        (response(TABLE), "0 new, 1 changed"),
        (response(TABLE), ""),
    ]
    feed = remote(site.url("/feed.csv"), folder)
    said: list[str] = []
    left = iter(steps)

    def answer_next(_: float = 0) -> None:
        step = next(left, None)
        if step is None:
            raise KeyboardInterrupt
        site.answers["/feed.csv"] = step[0]
        said.append("")

    answer_next()
    with pytest.raises(KeyboardInterrupt):
        watch(
            lambda: load_catalog(emptied_database, feed.path),
            feed.refresh,
            first=feed.refresh(),
            every=60,
            say=lambda line: said.append(said.pop() + line),
            sleep=answer_next,
        )
    for line, (_, expected) in zip(said, steps, strict=True):
        assert expected in line if expected else line == "", said
    asked = [(headers["If-None-Match"], headers["If-Modified-Since"]) for _, headers in site.requests]
    later = "Sat, 28 Nov 2026 11:00:00 GMT"
    assert asked[:6] == [
        (None, None), ('"1"', None), ('"1"', None), ('"1"', None), ('"2"', "Sat, 28 Nov 2026 10:00:00 GMT"),
        (None, later),
    ]  # fmt: skip
    assert asked[6:] == [(None, None)] * 3


def test_an_etag_that_a_request_header_cannot_contain_is_not_sent(site: ScriptedServer, folder: Path) -> None:
    head = 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nETag: "é"\r\nConnection: close\r\n\r\n'.encode("latin-1")
    site.answers["/feed.csv"] = head + b"abc"
    feed = remote(site.url("/feed.csv"), folder)
    assert feed.refresh() == feed.refresh()
    assert [headers["If-None-Match"] for _, headers in site.requests] == [None, None]


def test_the_etag_of_a_file_is_not_sent_for_another_file(site: ScriptedServer, folder: Path) -> None:
    """The address can redirect to a new file each day. The new file can have the ETag of the old file or an older date.
    With this ETag or date, the server would answer that nothing has changed, and the new file would not be loaded."""
    site.answers["/one.csv"] = response(TABLE, ETag='"1"')
    site.answers["/two.csv"] = response(b"two", ETag='"1"')
    site.answers["/latest"] = redirect("/one.csv")
    feed = remote(site.url("/latest"), folder)
    feed.refresh()
    site.answers["/latest"] = redirect("/two.csv")
    feed.refresh()
    assert feed.path.read_bytes() == b"two"
    assert [headers["If-None-Match"] for _, headers in site.requests] == [None] * 4
    feed.refresh()
    assert [headers["If-None-Match"] for _, headers in site.requests[4:]] == [None, '"1"']


@pytest.mark.parametrize("lost", ["file", "folder"])
def test_a_copy_that_was_deleted_is_downloaded_again(site: ScriptedServer, folder: Path, lost: str) -> None:
    site.answers["/feed.csv"] = response(TABLE, ETag='"1"')
    feed = remote(site.url("/feed.csv"), folder)
    digest = feed.refresh()
    feed.path.unlink()
    if lost == "folder":
        folder.rmdir()
    assert feed.refresh() == digest
    assert feed.path.read_bytes() == TABLE
    assert site.requests[-1][1]["If-None-Match"] is None


def test_the_stall_limit_covers_the_tls_handshake(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"https://127.0.0.1:{silent.getsockname()[1]}/feed.csv"
        assert "no data within 0.2 seconds" in failure(address, folder, seconds=600, stall_seconds=0.2)


def test_a_long_file_name_is_shortened(site: ScriptedServer, folder: Path) -> None:
    site.answers["/" + quote("商" * 96 + ".csv")] = response(TABLE)
    feed = remote(site.url("/" + "商" * 96 + ".csv"), folder)
    feed.refresh()
    assert feed.path.read_bytes() == TABLE and feed.path.name.endswith("商.csv")


@pytest.mark.parametrize(
    "address",
    [
        "https://me:opensesame@shop\uff0fexample/feed",
        "https://me:opensesame\uff20shop.example/feed",
        "https://me:opensesame#x@shop.example/feed",
        "https://me:opensesame?x@shop.example/feed",
        "https://me:open/sesame@shop.example/feed",
    ],
)
def test_the_error_of_a_malformed_address_shows_no_password(folder: Path, address: str) -> None:
    with pytest.raises(SettingsError) as raised:
        remote(address, folder)
    assert "open" not in f"{raised.value.message} {raised.value.hint}"


def test_control_characters_of_a_server_are_not_printed(site: ScriptedServer, folder: Path) -> None:
    site.answers["/feed.csv"] = response(TABLE, Content_Encoding="\x1b]0;title\x07")
    assert failure(site.url("/feed.csv"), folder).isprintable()


def test_an_address_with_one_slash_is_refused_and_not_read_as_a_path() -> None:
    assert is_address(" https://shop.example/feed")
    with pytest.raises(SettingsError, match="begins with https://"):
        is_address("http:/shop.example/feed?key=opensesame")


def test_sigterm_during_a_download_deletes_the_copy(site: ScriptedServer, tmp_path: Path) -> None:
    site.answers["/feed.csv"] = dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x")
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(tmp_path)}
    process = subprocess.Popen([*COMMAND, "load", site.url("/feed.csv")], env=env, cwd=tmp_path)
    try:
        wait_until(lambda: list(tmp_path.glob("windowshop-*/feed.csv.part")), 60, "the start of the download")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
    finally:
        process.kill()
        process.wait()
    assert list(tmp_path.glob("windowshop-*")) == []
