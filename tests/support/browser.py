"""Acts as a visitor of the search page in Chromium and reads the page."""

import asyncio
import base64
import re
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from loader.sample import IMAGES
from tests.support.processes import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

Result = TypeVar("Result")

GUITAR = IMAGES / "fluent_1376.webp"
CARDS = "#products > li"
TIMEOUT_SECONDS = 30  # a test waits up to this many seconds, because a busy machine encodes an image slowly

# This script hands an image file to the page, as a browser does when a visitor drops or pastes the file.
HAND_OVER = """([kind, base64]) => {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const files = new DataTransfer();
  files.items.add(new File([bytes], "photo.webp", { type: "image/webp" }));
  const event = kind === "paste"
    ? new ClipboardEvent("paste", { clipboardData: files, bubbles: true, cancelable: true })
    : new DragEvent(kind, { dataTransfer: files, bubbles: true, cancelable: true });
  document.body.dispatchEvent(event);
}"""


def titles(page: "Page") -> list[str]:
    return page.locator(f"{CARDS} h3").all_inner_texts()


def box(page: "Page") -> Any:
    return page.get_by_label("Describe what you are looking for")


def expect_first(page: "Page", word: str) -> None:
    """Wait until at least three of the first six titles contain `word`."""
    wait_until(
        lambda: sum(word in title.lower() for title in titles(page)[:6]) >= 3,
        TIMEOUT_SECONDS,
        f"{word} among the first titles",
    )


def hand_over(page: "Page", kind: str) -> None:
    page.evaluate(HAND_OVER, [kind, base64.b64encode(GUITAR.read_bytes()).decode()])


def until(page: "Page", holds: str) -> None:
    """Wait until the JavaScript expression `holds` is true. Playwright's wait_for_function needs eval, and the content
    security policy of the page forbids eval."""
    wait_until(lambda: page.evaluate(holds), TIMEOUT_SECONDS, holds)


def hold(page: "Page", which: str) -> list["Route"]:
    """Hold back requests whose address matches the pattern `which` until the test continues each request. Returns the
    list of requests that wait."""
    held: list[Route] = []
    page.route(re.compile(which), lambda route: held.append(route))
    return held


def in_thread(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine in a thread of its own, because no event loop can run in the thread that drives Chromium."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
