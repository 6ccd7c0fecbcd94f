"""A visitor chooses a part of an image with a mouse, a finger, the keyboard, or without a script."""

import re
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from PIL import Image

from loader.sample import IMAGES
from tests.support.browser import GUITAR, TIMEOUT_SECONDS, titles, until
from tests.support.processes import wait_until
from tests.web.page.reading import keep
from tests.web.page.test_accessibility import colour_violations, violations

if TYPE_CHECKING:
    from playwright.sync_api import Page

Visit = Callable[..., "Page"]
DRUM = IMAGES / "fluent_1619.webp"
SHARES = "document.getElementById('box').value"


@pytest.fixture(scope="module")
def scene(shop: str) -> str:
    """Returns the address of a search by an image with a guitar on the left and a drum on the right."""
    image = Image.new("RGB", (1200, 600), "white")
    for left, file in ((0, GUITAR), (600, DRUM)):
        part = Image.open(file).convert("RGBA").resize((600, 600))
        image.paste(part, (left, 0), part)
    buffer = BytesIO()
    image.save(buffer, "PNG")
    with httpx.Client(base_url=shop, timeout=60) as client:
        return f"{shop}/?picture={keep(client, buffer.getvalue())}"


def expect_near(page: "Page", word: str) -> None:
    """Wait until one of the first three titles contains `word`."""
    wait_until(lambda: any(word in title.lower() for title in titles(page)[:3]), TIMEOUT_SECONDS, f"{word} at the top")


def frame(page: "Page") -> Any:
    found = page.locator("#region").bounding_box()
    assert found
    return found


def drag(page: "Page", start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag between two places, given as shares of the width and height of the image."""
    box = frame(page)
    (x, y), (to_x, to_y) = ((box["x"] + a * box["width"], box["y"] + b * box["height"]) for a, b in (start, end))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move((x + to_x) / 2, (y + to_y) / 2)
    page.mouse.move(to_x, to_y)
    page.mouse.up()


def shares(page: "Page") -> list[float]:
    return [float(each) for each in page.evaluate(SHARES).split(",")]


def test_a_dragged_part_is_searched_and_the_back_button_returns_to_earlier_parts(scene: str, visit: Visit) -> None:
    page = visit(scene)
    drag(page, (0.02, 0.02), (0.48, 0.97))
    page.wait_for_url(re.compile("box="))
    expect_near(page, "guitar")
    assert shares(page) == pytest.approx([0.02, 0.02, 0.46, 0.95], abs=0.02)
    drag(page, (0.25, 0.5), (0.76, 0.5))  # moves the part
    expect_near(page, "drum")
    left, top, width, height = shares(page)
    assert (left, width, height) == pytest.approx((0.53, 0.46, 0.95), abs=0.02)
    drag(page, (left + width, top + height), (0.9, 0.6))  # drags a corner
    until(page, f"{SHARES}.split(',')[3] < 0.7")
    page.wait_for_url(lambda address: "0.95" not in address)
    assert shares(page)[:2] == pytest.approx([left, top], abs=0.01)
    for word in ("drum", "guitar"):
        page.go_back()
        expect_near(page, word)
    page.reload()
    expect_near(page, "guitar")
    page.get_by_role("link", name="Whole image").click()
    page.wait_for_url(scene)
    assert page.locator(".parts [aria-current]").inner_text() == "Whole image"


def test_a_click_on_the_image_and_a_cancelled_drag_change_nothing(scene: str, visit: Visit) -> None:
    page = visit(f"{scene}&box=0.5%2C0%2C0.5%2C1")
    box = frame(page)
    page.mouse.click(box["x"] + 30, box["y"] + 30)
    page.mouse.move(box["x"] + 30, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + 130, box["y"] + 130)
    until(page, "Number(document.querySelector('.edge').getAttribute('width')) < 400")
    page.locator("#region").focus()
    page.keyboard.press("Escape")
    page.mouse.up()
    assert page.locator(".edge").get_attribute("width") == "500"
    assert page.evaluate(SHARES) == "0.5,0,0.5,1"


def test_the_arrow_keys_move_and_resize_the_part_and_the_status_names_its_place(scene: str, visit: Visit) -> None:
    page = visit(scene)
    region = page.get_by_role("application", name="Part of the image to search for")
    region.focus()
    for _ in range(10):
        page.keyboard.press("Shift+ArrowLeft")
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    assert page.locator("#status").inner_text() == "From the left 50%, from the top 0%, width 50%, height 100%"
    page.wait_for_url(re.compile(r"box=0.5%2C0%2C0.5%2C1"))
    expect_near(page, "drum")
    until(page, "document.activeElement.id === 'region'")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")  # the part cannot leave the image
    page.keyboard.press("Enter")
    assert page.evaluate(SHARES) == "0.5,0,0.5,1"


def test_a_finger_drags_a_part_on_a_phone_which_also_offers_the_camera(scene: str, visit: Visit) -> None:
    page = visit(scene, width=360, height=740, has_touch=True, is_mobile=True)
    box = frame(page)
    devtools = page.context.new_cdp_session(page)

    def touch(kind: str, *at: float) -> None:
        points = [{"x": box["x"] + at[0] * box["width"], "y": box["y"] + at[1] * box["height"]}] if at else []
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 0.98, 0.97)
    for share in (0.9, 0.8, 0.7, 0.6, 0.52):
        touch("touchMove", share, 1.9 * (share - 0.5))
    touch("touchEnd")
    page.wait_for_url(re.compile("box="))
    expect_near(page, "drum")
    assert page.evaluate("scrollY") == 0
    page.wait_for_load_state("networkidle")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Take a photo").click()
    assert chooser.value.element.get_attribute("capture") == "environment"
    chooser.value.set_files(GUITAR)
    page.wait_for_url(lambda address: "box=" not in address)
    expect_near(page, "guitar")
    assert page.locator(".chip-image").inner_text().startswith("Your image")


def test_without_javascript_the_image_is_shown_and_links_choose_a_part(scene: str, visit: Visit) -> None:
    page = visit(scene, java_script_enabled=False)
    image = page.locator(".frame img").bounding_box()
    assert image and (image["width"], image["height"]) == (432, 216)
    assert not page.locator("#region").is_visible()
    page.get_by_role("link", name="Right half").click()
    page.wait_for_url(re.compile("box="))
    expect_near(page, "drum")
    edge = page.locator(".edge").bounding_box()
    assert edge and edge["x"] == pytest.approx(image["x"] + 216, abs=2) and edge["width"] == pytest.approx(216, abs=3)


@pytest.mark.parametrize("width", [pytest.param(1280, marks=pytest.mark.clients), 320])
def test_the_image_violates_no_accessibility_rule_and_fits_the_screen(scene: str, visit: Visit, width: int) -> None:
    page = visit(f"{scene}&box=0.5%2C0%2C0.5%2C1", width=width, color_scheme="light")
    for language in ("en", "ar"):
        page.goto(f"{scene}&box=0.5%2C0%2C0.5%2C1&lang={language}")
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") == width
    page.emulate_media(color_scheme="dark")
    assert colour_violations(page) == []


def test_a_visitor_with_a_mouse_is_offered_no_camera(scene: str, visit: Visit) -> None:
    page = visit(scene)
    assert page.locator("[data-camera]").count() == 1
    assert not page.locator("[data-camera]").is_visible()
