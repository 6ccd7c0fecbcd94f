"""A path below the image root becomes a URI with the version of its file. A path that leaves the root is refused."""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.catalog.image_paths import AddressesOnly, ImageRoot


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "shop" / "images"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.jpg").write_bytes(b"a")
    (folder / "sub" / "b c.jpg").write_bytes(b"b")
    (folder / "%2e%2e").mkdir()
    (folder / "%2e%2e" / "c.jpg").write_bytes(b"c")
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key.jpg").write_bytes(b"secret")
    (tmp_path / "shop" / "images2").mkdir()
    (tmp_path / "shop" / "images2" / "d.jpg").write_bytes(b"d")
    (folder / "inside.jpg").symlink_to("sub/b c.jpg")
    (folder / "dangling.jpg").symlink_to("nothing.jpg")
    (folder / "out.jpg").symlink_to(secret / "key.jpg")
    (folder / "out").symlink_to(secret)
    (folder / "beside").symlink_to("../images2")
    (folder / "chain").symlink_to("out")
    (folder / "nowhere.jpg").symlink_to("/nowhere/at/all.jpg")
    os.mkfifo(folder / "pipe.jpg")
    return folder


@pytest.mark.parametrize(
    ("written", "uri", "exists"),
    [
        ("a.jpg", "a.jpg", True),
        ("./a.jpg", "a.jpg", True),
        ("sub//./b c.jpg", "sub/b c.jpg", True),
        ("sub\\b c.jpg", "sub/b c.jpg", True),
        ("inside.jpg", "inside.jpg", True),
        ("dangling.jpg", "dangling.jpg", False),
        ("nothing/here.jpg", "nothing/here.jpg", False),
        # Percent escapes are not decoded, so %2e%2e is the name of a folder.
        ("%2e%2e/c.jpg", "%2e%2e/c.jpg", True),
        ("%2e%2e/a.jpg", "%2e%2e/a.jpg", False),
        ("...", "...", False),
        ("..a/b..jpg", "..a/b..jpg", False),
        ("a.jpg/b.jpg", "a.jpg/b.jpg", False),
        ("x" * 300 + ".jpg", "x" * 300 + ".jpg", False),
        ("HTTPS://shop.example/a.jpg?b=../c", "https://shop.example/a.jpg?b=../c", True),
        ("s3://bucket/a.jpg", "s3://bucket/a.jpg", True),
    ],
)
def test_a_path_or_address_becomes_a_uri_and_only_a_missing_file_has_no_version(
    root: Path, written: str, uri: str, exists: bool
):
    stored, version = ImageRoot(root).uri(written)
    assert (stored, version is not None) == (uri, exists)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("../secret/key.jpg", "leaves the image root"),
        ("..", "leaves the image root"),
        ("sub/../../../secret/key.jpg", "leaves the image root"),
        ("sub/../a.jpg", "leaves the image root"),
        ("/etc/passwd", "is absolute"),
        ("//host/share/a.jpg", "is absolute"),
        ("..\\secret\\key.jpg", "leaves the image root"),
        ("\\\\server\\key.jpg", "is absolute"),
        ("C:\\a.jpg", 'begins with "C:"'),
        ("C:/a.jpg", 'begins with "C:"'),
        ("file:///etc/passwd", 'begins with "file:"'),
        ("data:image/png;base64,AAAA", 'begins with "data:"'),
        ("http://", 'begins with "http:"'),
        ("javascript:alert(1)", 'begins with "javascript:"'),
        ("out.jpg", "is a link that leaves the image root"),
        ("out/key.jpg", "is a link that leaves the image root"),
        ("out/not-there.jpg", "is a link that leaves the image root"),
        ("chain/key.jpg", "is a link that leaves the image root"),
        ("beside/d.jpg", "is a link that leaves the image root"),
        ("nowhere.jpg", "is a link that leaves the image root"),
        ("sub", "is not a file"),
        ("sub/", "names no file"),
        (".", "names no file"),
        ("pipe.jpg", "is not a file"),
        ("a\x00.jpg", "has a control character"),
        ("a\n.jpg", "has a control character"),
        ("x/" * 501, "is longer than 1000 characters"),
    ],
)
def test_a_path_that_cannot_name_an_image_below_the_root_is_refused_with_the_reason(
    root: Path, written: str, reason: str
):
    with pytest.raises(ValueError) as refused:
        ImageRoot(root).uri(written)
    assert reason in str(refused.value)


def test_an_image_root_may_be_a_symbolic_link_or_the_root_folder(root: Path, tmp_path: Path):
    (tmp_path / "linked").symlink_to(root)
    uri, version = ImageRoot(tmp_path / "linked").uri("a.jpg")
    assert (uri, bool(version)) == ("a.jpg", True)
    assert ImageRoot(Path("/")).uri("nothing-at-all.jpg") == ("nothing-at-all.jpg", None)


def test_another_file_of_equal_size_and_modification_time_has_another_version(tmp_path: Path):
    file, other = tmp_path / "a.jpg", tmp_path / "b.jpg"
    file.write_bytes(b"red")
    other.write_bytes(b"tan")
    root = ImageRoot(tmp_path)
    _, first = root.uri("a.jpg")
    assert root.uri("a.jpg") == ("a.jpg", first)
    shutil.copystat(file, other)
    other.rename(file)
    _, second = root.uri("a.jpg")
    assert second != first
    (tmp_path / "link.jpg").symlink_to("a.jpg")
    assert root.uri("link.jpg") == ("link.jpg", second)
    assert root.uri("https://shop.example/a.jpg") == ("https://shop.example/a.jpg", "")


@given(
    st.sampled_from(["http", "https"]), st.text(" /.ab\x00\t\x7f\x85\xa0é\u200b") | st.text(min_size=980, max_size=1010)
)
def test_the_case_of_the_scheme_makes_no_difference_to_an_address(scheme: str, rest: str):
    # An address with a scheme in lower case takes a fast path in the code, and one with a scheme in capitals does not.
    def read(written: str) -> object:
        try:
            return AddressesOnly().uri(written)
        except ValueError as error:
            return str(error).replace(scheme.upper(), scheme)

    assert read(f"{scheme}://{rest}") == read(f"{scheme.upper()}://{rest}")


def test_a_path_is_refused_where_only_addresses_are_accepted():
    with pytest.raises(ValueError, match=r'^image "a.jpg" is not an http\(s\), s3 or gs address$'):
        AddressesOnly().uri("a.jpg")
