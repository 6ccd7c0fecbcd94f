"""Only plain files of a bounded size below the image root are read."""

import os
import socket
from pathlib import Path

import pytest

from db.images.errors import ImageRejected, ImageUnreadable
from db.images.files import read_file

CONTENT = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Returns an empty image root. A secret file lies beside the root."""
    (tmp_path / "secret").write_bytes(CONTENT)
    root = tmp_path / "root"
    root.mkdir()
    return root


@pytest.mark.parametrize(
    "uri", ["../secret", "a/../../secret", "/etc/passwd", "", ".", "a\0b", "x" * 5000, "%2e%2e/secret"]
)
def test_a_path_that_leads_out_of_the_root_or_names_no_file_is_not_read(root: Path, uri: str) -> None:
    (root / "a").mkdir()
    with pytest.raises(ImageRejected):
        read_file(str(root), uri, 1000)


def test_a_path_to_a_parent_folder_is_rejected_permanently(root: Path) -> None:
    with pytest.raises(ImageRejected, match="leaves the image root") as raised:
        read_file(str(root), "../secret", 1000)
    assert raised.value.final


def test_a_link_out_of_the_root_is_rejected_permanently(root: Path) -> None:
    (root / "link.jpg").symlink_to(root.parent / "secret")
    with pytest.raises(ImageRejected, match="leaves the image root") as raised:
        read_file(str(root), "link.jpg", 1000)
    assert raised.value.final


def test_a_link_within_the_root_is_followed(root: Path) -> None:
    (root / "a").mkdir()
    (root / "a" / "real.png").write_bytes(CONTENT)
    (root / "link").symlink_to(root / "a")
    assert read_file(str(root), "link/real.png", 1000) == CONTENT


def test_a_root_that_is_a_link_is_followed(root: Path) -> None:
    (root / "a.png").write_bytes(CONTENT)
    (root.parent / "alias").symlink_to(root)
    assert read_file(str(root.parent / "alias"), "a.png", 1000) == CONTENT


def test_a_link_that_replaces_a_folder_while_the_path_is_opened_is_not_followed(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "a").mkdir()
    (root / "a" / "secret").write_bytes(b"harmless")
    opened = os.open

    def open_after_swap(path: str, *arguments: int, **options: int) -> int:
        if path == "a":
            (root / "a").rename(root / "b")
            (root / "a").symlink_to(root.parent)
        return opened(path, *arguments, **options)

    monkeypatch.setattr(os, "open", open_after_swap)
    with pytest.raises(ImageUnreadable):
        read_file(str(root), "a/secret", 1000)


def test_a_pipe_is_rejected_without_waiting_for_a_writer(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with pytest.raises(ImageRejected, match="not a plain file"):
        read_file(str(root), "pipe", 1000)


def test_a_socket_is_not_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)  # a relative name, because the path of a Unix socket is limited to about 100 characters
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        with pytest.raises(ImageRejected):
            read_file(str(root), "socket", 1000)


def test_a_missing_file_raises_a_temporary_error(root: Path) -> None:
    with pytest.raises(ImageUnreadable, match="No such file") as raised:
        read_file(str(root), "gone.jpg", 1000)
    assert not raised.value.final


def test_a_file_above_the_size_limit_is_not_read(root: Path) -> None:
    (root / "big").write_bytes(bytes(2000))
    with pytest.raises(ImageRejected, match="2000 bytes"):
        read_file(str(root), "big", 1000)
