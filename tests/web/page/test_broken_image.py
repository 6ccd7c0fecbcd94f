"""Without JavaScript, the tile of an image that cannot be loaded is plain, because the style sheet covers the frame
that browsers draw for such an image."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

import web.page

if TYPE_CHECKING:
    from playwright.sync_api import Page

SHEET = (Path(web.page.__file__).parent / "static" / "page.css").read_text(encoding="utf-8")
TILE = f"""<!doctype html><style>{SHEET}</style>
<main><div class="tile" style="width: 256px"><img src="/gone.webp" alt="" width="256" height="256"></div></main>"""


def test_without_javascript_the_tile_of_an_image_that_cannot_be_loaded_is_plain(visit: "Callable[..., Page]") -> None:
    page = visit("about:blank", java_script_enabled=False)
    page.route("**/gone.webp", lambda route: route.fulfill(status=404, body=""))
    page.route("**/tile", lambda route: route.fulfill(content_type="text/html", body=TILE))
    page.goto("http://shop.example/tile", wait_until="load")
    with Image.open(BytesIO(page.locator(".tile").screenshot())) as picture:
        middle = picture.convert("L").crop((16, 16, picture.width - 16, picture.height - 16))
    darkest, lightest = middle.getextrema()
    assert darkest == lightest
