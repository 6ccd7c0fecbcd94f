"""A real nginx sends its own error pages when it refuses a large image or gets no answer from the service. Visitors
still read in their language what happened, and keep their results."""

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from db.engine import Database
from tests.support.browser import CARDS
from tests.support.servers.nginx import nginx
from tests.support.web_service import LONG_DEADLINE
from web.server import running

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.clients
# nginx removes the prefix, as in test_path_prefix.py. It sends a search for `slow` to a server that never answers.
LOCATION = """
location {prefix}/ {{
    client_max_body_size 8k;
    if ($arg_q = slow) {{ rewrite ^ /silent last; }}
    rewrite ^{prefix}/(.*)$ /$1 break;
    proxy_pass {service};
}}
location = /silent {{
    internal;
    proxy_read_timeout 300ms;
    proxy_pass http://127.0.0.1:{silent};
}}
"""
TRY_AGAIN = {"en": "Please try again in a moment.", "de": "Bitte versuchen Sie es gleich noch einmal."}
BUSY = {"en": "The shop cannot be reached at the moment.", "de": "Der Shop ist im Moment nicht erreichbar."}
LARGE = {
    "en": "The image is too large. Choose a smaller copy of it.",
    "de": "Das Bild ist zu groß. Wählen Sie eine kleinere Kopie.",
}


@contextmanager
def silent() -> Iterator[int]:
    """Yields the port of a server that takes connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def large_image() -> bytes:
    image = BytesIO()
    Image.effect_noise((400, 400), 90).save(image, "PNG")
    assert len(image.getvalue()) > 50_000
    return image.getvalue()


@pytest.mark.parametrize(("prefix", "language"), [("", "en"), ("/shop", "de")])
def test_visitors_read_what_happened_and_no_error_page_of_the_proxy(
    encoding_database: Database,
    tmp_path: Path,
    visit: "Callable[..., Page]",
    prefix: str,
    language: str,
) -> None:
    with ExitStack() as proxy, ExitStack() as upstream:
        port = proxy.enter_context(silent())
        service = upstream.enter_context(
            running(encoding_database, LONG_DEADLINE.model_copy(update={"root_path": prefix}))
        )
        location = LOCATION.format(prefix=prefix, silent=port, service=service)
        front = proxy.enter_context(nginx(tmp_path, location))
        page = visit(f"{front}{prefix}/?lang={language}")
        statuses: list[int] = []
        page.on("response", lambda answer: statuses.append(answer.status) if answer.status >= 400 else None)

        def expect(status: int, *texts: str) -> None:
            for text in texts:
                page.get_by_role("alert").get_by_text(text).wait_for()
            assert set(statuses) == {status}  # suggestions fail too, and the page does not say so
            assert "nginx" not in page.locator("body").inner_text()
            assert page.locator(CARDS).count() == 24
            assert page.locator("#results").get_attribute("aria-busy") is None
            page.evaluate("document.getElementById('notice').replaceChildren()")
            statuses.clear()

        page.locator("#file").set_input_files({"name": "photo.png", "mimeType": "image/png", "buffer": large_image()})
        expect(413, LARGE[language])
        page.locator("#q").fill("slow")
        expect(504, BUSY[language], TRY_AGAIN[language])
        upstream.close()  # the service is stopped
        page.locator("#q").fill("guitar")
        expect(502, BUSY[language])
        assert re.search(r"[?&]lang=", page.url)
