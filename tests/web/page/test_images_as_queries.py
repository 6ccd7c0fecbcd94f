"""The browser scales a large photograph down before its upload. Visitors can search with an image that they drag from a
page. A file that is no image gets a message, and so does an image that the service cannot fetch."""

import re
from base64 import b64encode
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image

from tests.support.browser import CARDS, GUITAR, expect_first, until

if TYPE_CHECKING:
    from playwright.sync_api import Page

Visit = Callable[..., "Page"]
DROP = """data => {
  const given = new DataTransfer();
  for (const [type, text] of Object.entries(data)) {
    if (type === "file") given.items.add(new File([text], "notes.txt", { type: "text/plain" }));
    else given.setData(type, text);
  }
  document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: given, bubbles: true, cancelable: true }));
}"""


def test_a_large_photograph_is_scaled_down_before_its_upload(shop: str, visit: Visit) -> None:
    page = visit(shop)
    photograph = BytesIO()
    Image.effect_noise((2600, 1300), 90).save(photograph, "JPEG", quality=95)
    assert len(photograph.getvalue()) > 1_500_000
    page.evaluate(
        "document.addEventListener('htmx:configRequest', ({ detail }) => {"
        " const file = detail.formData?.get('image');"
        " if (file) createImageBitmap(file).then(({ width, height }) => { window.sent = [width, height, file.size]; });"
        "})"
    )
    page.locator("#file").set_input_files(
        {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": photograph.getvalue()}
    )
    page.locator(".chip-image").wait_for()
    until(page, "window.sent")
    width, height, size = page.evaluate("window.sent")
    assert (width, height) == (1024, 512)
    assert size < 800_000


def test_a_dropped_file_that_is_no_image_gives_a_message(shop: str, visit: Visit) -> None:
    page = visit(shop)
    page.evaluate(DROP, {"file": "a list"})
    page.get_by_role("alert").get_by_text("This is not an image.").wait_for()
    page.evaluate(DROP, {"text/uri-list": "about:blank"})
    page.get_by_role("alert").get_by_text("This is not an image.").wait_for()
    assert page.locator(CARDS).count() == 24


def test_an_image_that_is_dragged_from_a_page_is_searched(shop: str, visit: Visit) -> None:
    page = visit(shop)
    inline = f"data:image/webp;base64,{b64encode(GUITAR.read_bytes()).decode()}"
    page.evaluate(DROP, {"text/html": f'<a href="/x"><img src="{inline}"></a>', "text/uri-list": f"{shop}/x"})
    page.locator(".chip-image").wait_for()
    expect_first(page, "guitar")
    page.goto(f"{shop}/?q=drum")
    source = page.locator(".tile img").first.evaluate("image => image.src")
    page.evaluate(DROP, {"text/html": f'<img src="{source}">', "text/uri-list": source})
    page.locator(".chip-image").wait_for()
    expect_first(page, "drum")


def test_the_service_is_asked_for_an_image_of_another_site(shop: str, visit: Visit) -> None:
    page = visit(shop)
    address = "http://127.0.0.1:1/guitar.png"
    page.evaluate(DROP, {"text/html": f'<img src="{address}">', "text/uri-list": address})
    alert = page.get_by_role("alert")
    alert.get_by_text("The image of the other page cannot be fetched.").wait_for()
    assert re.search("Save the image", alert.inner_text())
    assert page.locator(CARDS).count() == 24
