"""The page shows the visitor's image and searches by the part of it that the address names."""

import re
from html import unescape

import httpx
import pytest

from db.engine import Database
from tests.support.browser import in_thread
from tests.support.web_service import Serve, answering
from tests.web.page.reading import HTMX, keep, links, png, titles
from web.images.uploads import Uploads
from web.page.images import box
from web.page.state import read


@pytest.mark.parametrize(
    ("written", "part"),
    [
        ("", None),
        ("0,0,1,1", None),
        ("0, 0, 1, .9999", None),
        ("0.25,0.5,0.5,0.5", (0.25, 0.5, 0.5, 0.5)),
        ("0.1,0.9,0.9,0.1", (0.1, 0.9, 0.9, 0.1)),
        ("0.12345,0,0.2,1", (0.123, 0.0, 0.2, 1.0)),
    ],
)
def test_a_part_of_an_image_is_read_and_written(written: str, part: tuple[float, ...] | None) -> None:
    assert box.read(written) == part
    assert box.read(box.write(box.read(written))) == part


@pytest.mark.parametrize(
    "written",
    ["1", "a,b,c,d", "0,0,1", "0,0,1,1,1", "0,0,0,1", "0.5,0,0.6,1", "-0.1,0,0.5,1", "nan,0,1,1", "0,0,inf,1"],
)
def test_a_text_that_names_no_part_becomes_a_remark(written: str) -> None:
    state = read([("picture", "a" * 32), ("box", written)])
    assert state.box is None
    assert state.remarks == (f"“{written}” is no part of an image.",)


def test_the_address_keeps_a_part_only_with_its_image() -> None:
    state = read([("q", "lamp"), ("picture", "a" * 32), ("box", "0,0,0.5,1")])
    assert read([("q", "lamp"), ("box", "0,0,0.5,1")]).box is None
    assert state.but(q="").address() == f"/?picture={'a' * 32}&box=0%2C0%2C0.5%2C1"
    assert state.but(image="").address() == "/?q=lamp"


def test_a_part_of_the_image_is_searched_and_all_links_keep_it(serve: Serve, own_database: Database) -> None:
    with answering(own_database), serve(own_database) as client:
        name = keep(client, png(size=(400, 100)))
        found = {}
        for part in ("", "0,0,0.5,1", "0.5,0,0.25,1"):
            page = client.get("/", params={"picture": name, "box": part, "cut": "none"})
            assert page.status_code == 200
            found[part] = titles(page.text)
            assert re.search(rf'<img src="/picture/{name}" alt="Your image" width="432" height="108"', page.text)
            assert f'name="box" value="{part}"' in page.text
        assert len({tuple(each) for each in found.values()}) == 3  # the encoder was asked for three images
        assert '<rect class="edge" x="500" y="0" width="250" height="1000"' in page.text
        assert "A part of your image" in page.text
        [left] = [unescape(one) for one in re.findall(r'<li><a href="([^"]*)"[^>]*><svg.*?</svg>Left half', page.text)]
        assert titles(client.get(left).text) == found["0,0,0.5,1"]
        [whole] = [
            unescape(one) for one in re.findall(r'<li><a href="([^"]*)"[^>]*><svg.*?</svg>Whole image', page.text)
        ]
        assert "box" not in whole
        more = links(client.get(left).text, "More results")[0]
        assert "box=0%2C0%2C0.5%2C1" in more
        assert len(titles(client.get(more, headers=HTMX).text)) == 24


def test_without_its_image_a_part_is_dropped(client: httpx.Client) -> None:
    page = client.get("/", params={"picture": "0" * 32, "box": "0,0,0.5,1", "q": "bag"})
    assert "Drop it again" in page.text
    assert 'class="photo"' not in page.text
    assert 'name="box" value=""' in page.text


def test_an_error_page_shows_the_image_too(serve: Serve, own_database: Database) -> None:
    with serve(own_database) as client:  # no encoder runs, so the image cannot be searched
        name = keep(client, png())
        page = client.get("/", params={"picture": name, "box": "0,0,0.5,1"})
        assert page.status_code == 503
        assert f'<img src="/picture/{name}" alt="Your image"' in page.text
        assert 'name="box" value="0,0,0.5,1"' in page.text


def test_a_part_is_kept_until_newer_images_take_the_memory_of_the_image_and_the_part() -> None:
    async def keep() -> None:
        name = await uploads.keep(png(size=(600, 600)))
        part = await uploads.part(name, (0.0, 0.0, 0.5, 0.5))
        assert part is not None and await uploads.part(name, (0.0, 0.0, 0.5, 0.5)) is part
        for n in range(1, 20):
            await uploads.keep(png("blue", size=(600, 600 + n)))
        assert uploads.get(name) is None
        assert await uploads.part(name, (0.0, 0.0, 0.5, 0.5)) is None

    uploads = Uploads(bytes_kept=8_000)
    try:
        in_thread(keep())
    finally:
        uploads.close()
