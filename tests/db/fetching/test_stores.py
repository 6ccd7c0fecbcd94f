"""Only objects below the listed prefixes of object stores are read, with the limits of web images.

The tests register a driver that keeps the objects in memory.
"""

import threading
from collections.abc import Iterator
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry

from db.errors import SettingsError
from db.fetching.fetcher import Fetcher
from db.images.errors import ImageRejected
from encoder.settings import EncoderSettings

asked: list[str] = []


class InMemory(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    protocol = "s3"
    store: dict[str, Any] = {}  # noqa: RUF012  # all instances share one store
    pseudo_dirs = [""]  # noqa: RUF012

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return "/" + path.removeprefix("s3://").lstrip("/").rstrip("/")

    def info(self, path: str, **kwargs: Any) -> Any:
        asked.append(path)
        if "slow" in path:
            stuck.wait(30)
        if "broken" in path:
            raise ZeroDivisionError("the driver broke")
        if "locked" in path:
            raise PermissionError("Access Denied")
        return super().info(path, **kwargs)


stuck = threading.Event()


@pytest.fixture(autouse=True)
def _driver() -> Iterator[None]:
    asked.clear()
    stuck.clear()
    fsspec.register_implementation("s3", InMemory, clobber=True)
    store = fsspec.filesystem("s3")
    for path in ("images/a.jpg", "images/deep/b.jpg", "images-secret/c.jpg", "other/d.jpg"):
        store.pipe_file(path, path.encode())
    store.pipe_file("images/empty.jpg", b"")
    store.pipe_file("images/large.jpg", bytes(1001))
    asked.clear()
    yield
    stuck.set()
    _registry.pop("s3", None)


def fetcher(**settings: Any) -> Fetcher:
    return Fetcher(
        EncoderSettings(**{"object_stores": ["s3://images"], "fetch_max_bytes": 1000, **settings}).fetch_limits()
    )


def refusal(made: Fetcher, address: str) -> ImageRejected:
    with pytest.raises(ImageRejected) as raised:
        made.read(address)
    return raised.value


def test_objects_below_a_listed_prefix_are_read() -> None:
    made = fetcher()
    assert made.read("s3://images/a.jpg") == b"images/a.jpg"
    assert made.read("s3://images/deep/b.jpg") == b"images/deep/b.jpg"
    assert made.read("s3://images/empty.jpg") == b""


@pytest.mark.parametrize(
    "address",
    [
        "s3://other/d.jpg",
        "s3://images-secret/c.jpg",
        "s3://images",
        "s3://images/",
        "s3://images/../other/d.jpg",
        "s3://images/./../other/d.jpg",
        "s3://images//d.jpg",
        "s3://images/a.jpg::file:///etc/passwd",
        "simplecache::s3://images/a.jpg",
        "gs://images/a.jpg",
        "S3://images/a.jpg",
        "memory://images/a.jpg",
        "local://images/a.jpg",
    ],
)
def test_an_address_outside_the_listed_prefixes_is_refused_without_a_request(address: str) -> None:
    assert refusal(fetcher(), address).final
    assert asked == []


def test_no_object_store_is_read_if_no_prefix_is_listed() -> None:
    error = refusal(Fetcher(EncoderSettings().fetch_limits()), "s3://images/a.jpg")
    assert "WINDOWSHOP_ENCODER_OBJECT_STORES" in error.message
    assert error.final
    assert asked == []


@pytest.mark.parametrize(
    ("name", "reason", "final"),
    [
        ("large.jpg", "1001 bytes; at most 1000 are allowed", True),
        ("gone.jpg", "no such object", True),
        ("locked.jpg", "Access Denied", True),
        ("broken.jpg", "the driver broke", False),
        ("slow.jpg", "within 0.3 seconds", False),
    ],
)
def test_the_error_for_an_unreadable_object_has_a_reason(name: str, reason: str, final: bool) -> None:
    error = refusal(fetcher(fetch_seconds=0.3), f"s3://images/{name}")
    assert reason in error.message
    assert error.final is final


def test_a_missing_driver_is_reported_before_the_first_request() -> None:
    with pytest.raises(SettingsError, match="gs://") as raised:
        fetcher(object_stores=["gs://bucket/"])
    assert "windowshop[gs]" in str(raised.value.hint)


@pytest.mark.parametrize(
    "written", ["file:///", "memory://a/", "s3:", "s3://", "simplecache::s3://a/", "s3://a/b::c/", "http://a/", "/srv"]
)
def test_a_setting_with_an_invalid_prefix_is_refused(written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINDOWSHOP_ENCODER_OBJECT_STORES", written)
    with pytest.raises(SettingsError, match="WINDOWSHOP_ENCODER_OBJECT_STORES"):
        EncoderSettings.read()
