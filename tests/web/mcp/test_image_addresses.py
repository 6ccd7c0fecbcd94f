"""The tools search by the image at an address. Like POST /v1/search, they refuse internal addresses."""

import base64
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from db.engine import Database
from tests.support.servers.assistants import ToolFailed, address_of, call
from tests.support.web_service import SETTINGS, cache, served


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None: ...


@pytest.fixture(scope="module")
def host(image_folder: Path) -> Iterator[int]:
    """Yields the port of a server of images."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(image_folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def fetching(shop_database: Database, image_folder: Path, host: int) -> Iterator[httpx.Client]:
    """Yields a client of a service that may fetch from `host`. The vector of one image is in the query cache."""
    with shop_database.connect(None) as conn, conn.begin():
        cache(conn, b"i", (image_folder / "9.png").read_bytes(), None, 41)
    settings = SETTINGS.model_copy(update={"fetch_hosts": ["127.0.0.1"], "fetch_ports": [host]})
    with served(shop_database, settings) as client:
        yield client


def test_an_image_at_an_address_is_searched_as_if_it_had_been_sent(
    fetching: httpx.Client, host: int, image_folder: Path
) -> None:
    address, url = address_of(fetching), f"http://127.0.0.1:{host}/9.png"
    sent = call(address, "search", {"image": base64.b64encode((image_folder / "9.png").read_bytes()).decode()})
    assert len(sent["results"]) == 5 and all(0 <= one["similarity"] <= 1 for one in sent["results"])
    assert call(address, "search", {"image_url": url}) == sent
    assert call(address, "similar", {"image_url": url}) == sent
    red = call(address, "similar", {"image_url": url, "filter": {"color": "red"}, "limit": 3})["results"]
    assert [one["color"] for one in red] == ["red"] * 3
    following = call(address, "similar", {"image_url": url, "cursor": sent["cursor"]})["results"]
    assert following[0]["rank"] == 6
    explained = call(address, "explain", {"image_url": url})
    assert explained["results"] == [one["sku"] for one in sent["results"]]


@pytest.mark.parametrize("tool", ["search", "similar", "explain"])
@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:{port}/missing.png", "the server answers 404"),
        ("http://127.0.0.2:{port}/9.png", "not public"),
        ("http://169.254.169.254/latest", "not public"),
        ("http://127.0.0.1:1/9.png", "port 1 is not allowed"),
        ("file:///etc/passwd", "Expected `str` matching regex"),
    ],
)
def test_an_address_that_cannot_or_must_not_be_fetched_is_refused_with_the_reason(
    fetching: httpx.Client, host: int, tool: str, url: str, reason: str
) -> None:
    with pytest.raises(ToolFailed) as failed:
        call(address_of(fetching), tool, {"image_url": url.format(port=host)})
    assert failed.value.problem["type"] == "urn:windowshop:problem:invalid"
    assert reason in failed.value.problem["detail"]


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("search", {"image": "aGk=", "image_url": "https://shop.example/a.jpg"}, "Give image or image_url, not both."),
        (
            "similar",
            {"sku": "sku 1", "image_url": "https://shop.example/a.jpg"},
            "Give sku or image_url, and not both.",
        ),
        ("similar", {}, "Give sku or image_url, and not both."),
    ],
)
def test_a_call_with_two_queries_or_none_is_refused(
    client: httpx.Client, tool: str, arguments: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ToolFailed) as failed:
        call(address_of(client), tool, arguments)
    assert failed.value.problem["detail"] == reason
