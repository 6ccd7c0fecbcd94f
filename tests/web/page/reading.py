"""Sends images to the page and reads the HTML of the page."""

import re
from html import unescape
from io import BytesIO

import httpx
from PIL import Image

from tests.support.processes import wait_until

HTMX = {"HX-Request": "true"}


def titles(page: str) -> list[str]:
    return [unescape(title).strip() for title in re.findall(r"<h3>(?:<a[^>]*>)?(.*?)(?:</a>)?</h3>", page)]


def links(page: str, words: str) -> list[str]:
    """Returns the addresses of the links whose text begins with `words`."""
    return [unescape(href) for href in re.findall(rf'<a[^>]*href="([^"]*)"[^>]*>\s*{words}', page)]


def count(page: str) -> str:
    found = re.search(r'<h2 id="count"[^>]*>(.*?)</h2>', page)
    assert found
    return unescape(found[1])


def upload(client: httpx.Client, content: bytes, **headers: str) -> httpx.Response:
    return client.post("/picture", files={"image": ("photo.png", content, "image/png")}, headers=HTMX | headers)


def keep(client: httpx.Client, content: bytes) -> str:
    """Upload an image and return its name. On a busy machine, opening the image may take too long, so the
    function tries again."""

    def name() -> list[str]:
        return re.findall(r'name="picture" value="([0-9a-f]{32})"', upload(client, content).text)

    found: list[str] = wait_until(name, 60, "the image is kept")
    return found[0]


def png(color: str = "red", size: tuple[int, int] = (40, 30)) -> bytes:
    made = BytesIO()
    Image.new("RGB", size, color).save(made, "PNG")
    return made.getvalue()
