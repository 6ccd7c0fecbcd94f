"""`make screenshots` takes the screenshots of the documentation again, with the whole sample catalog."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

FOLDER = Path(__file__).parents[3] / "docs" / "screenshots"
MOST_BYTES = 400_000
SHOTS = {
    "search": ("/?q=something%20to%20sit%20on", {"width": 1360, "height": 900}),
    "start-dark": ("/", {"width": 1360, "height": 900, "color_scheme": "dark"}),
    "more-and-less": ("/?like=WS-00461&unlike=WS-00460&price_max=200", {"width": 1360, "height": 900}),
    "product": ("/product?sku=WS-01027", {"width": 1360, "height": 900}),
    "phone": ("/?q=red%20shoes", {"width": 390, "height": 844, "device_scale_factor": 2}),
}


@pytest.fixture(scope="module")
def whole_shop(request: pytest.FixtureRequest, screenshots_requested: bool) -> str:
    """Returns the address of a shop with the whole sample."""
    if not screenshots_requested:
        pytest.skip("only `make screenshots` takes screenshots")
    return str(request.getfixturevalue("shop"))


@pytest.mark.parametrize("name", SHOTS)
def test_screenshots_are_taken_when_requested(name: str, whole_shop: str, visit: "Callable[..., Page]") -> None:
    from PIL import Image

    path, options = SHOTS[name]
    page = visit(whole_shop + path, **options)
    if name == "search":
        page.locator(".why summary").nth(1).click()
    page.wait_for_load_state("networkidle")
    FOLDER.mkdir(exist_ok=True)
    Image.open(BytesIO(page.screenshot())).save(FOLDER / f"{name}.webp", quality=88, method=6)


def test_there_is_one_screenshot_under_400_kb_for_each_entry_of_shots() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(SHOTS)
    assert all(path.stat().st_size < MOST_BYTES for path in FOLDER.iterdir())
