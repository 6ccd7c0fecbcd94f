"""These tests request the page without a browser, and check the HTML of its states and errors."""

import re
from html import unescape
from io import BytesIO

import httpx
import pytest
from PIL import Image
from sqlalchemy import text

from db.engine import Database
from tests.support.browser import in_thread
from tests.support.processes import wait_until
from tests.support.web_service import PRODUCTS, Serve, answering
from tests.web.page.reading import HTMX, count, links, png, titles, upload

NO_PRODUCT_PASSES = "No product passes all these filters."


def test_the_start_page_shows_products_and_filters_and_prices(client: httpx.Client) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert len(titles(answer.text)) == 24
    assert count(answer.text) == f"{PRODUCTS} products"
    assert 'name="color" value="red"' in answer.text
    assert 'name="brand" value="Nord"' in answer.text
    assert "<rect" in answer.text
    assert "Why" not in answer.text  # without a query, the page has no ranks to explain


@pytest.mark.parametrize("path", ["/", "/?q=bag", "/health", "/products/sku 1", "/static/page.css", "/nowhere"])
def test_a_head_request_gets_the_status_and_type_of_a_get_request_and_no_body(client: httpx.Client, path: str) -> None:
    head, get = client.head(path), client.get(path)
    assert head.status_code == get.status_code
    assert head.headers["content-type"] == get.headers["content-type"]
    assert head.content == b""


def test_the_page_shows_the_same_results_as_the_api(client: httpx.Client) -> None:
    page = client.get("/", params={"q": "bag", "color": ["red", "black"], "price_max": "60"}).text
    filter_ = {"color": ["red", "black"], "effective_price": {"lte": 60}}
    body = {"query": "bag", "top_k": 24, "filter": filter_, "cut": "relevant"}
    results = client.post("/search/text", json=body).json()["results"]
    assert titles(page) == [result["title"] for result in results]
    assert page.count('class="why"') == len(results)
    assert "Looks very much like “bag”." in page
    assert "The title says “number7”." in client.get("/?q=number7").text


def test_every_result_has_links_to_more_and_less_like_the_product(client: httpx.Client) -> None:
    page = client.get("/", params={"q": "bag"}).text
    more, less = links(page, "<span>More<"), links(page, "<span>Less<")
    assert len(more) == len(less) == 24
    found = client.get(less[0]).text
    assert "Less like" in found
    without = links(found, '<svg class="icon".*?</svg><span class="unseen">Remove')
    assert without[1:] == ["/?q=bag"]
    again = client.get(more[0]).text
    named = re.search(r"like=([^&]+)", more[0])
    assert named
    assert f'name="like" value="{named[1].replace("%20", " ")}"' in again


def test_a_search_for_more_like_a_product_omits_the_product_and_needs_no_encoder(client: httpx.Client) -> None:
    page = client.get("/", params={"like": "sku 1", "cut": "none"}).text
    assert "black shoes number1" not in titles(page)
    assert len(titles(page)) == 24


def test_the_start_page_has_no_links_to_less_like_a_product(client: httpx.Client) -> None:
    assert links(client.get("/").text, "<span>Less<") == []


def test_all_pages_together_show_every_product_once(client: httpx.Client) -> None:
    relevant = client.post("/search/text", json={"query": "bag", "cut": "relevant"}).json()["total"]
    queries = (
        ({}, PRODUCTS),
        ({"q": "bag", "cut": "none"}, PRODUCTS),
        ({"q": "bag"}, relevant),
        ({"color": "red"}, 20),
    )
    for query, products in queries:
        address: str | None = str(httpx.URL("/", params=query))
        shown: list[str] = []
        while address:
            page = client.get(address).text
            shown += titles(page)
            address = next(iter(links(page, "More results")), None)
        assert len(shown) == len(set(shown)) == products, query


def test_an_error_while_more_results_are_loaded_replaces_all_results(client: httpx.Client) -> None:
    answer = client.get("/", params={"q": "bag", "after": "garbage"}, headers=HTMX)
    assert answer.status_code == 422
    assert answer.headers["hx-retarget"] == "#results"
    assert links(answer.text, "Begin again") == ["/?q=bag"]


def test_the_heading_counts_the_products_that_pass_the_filter(client: httpx.Client) -> None:
    assert count(client.get("/?q=bag&cut=none").text) == f"{PRODUCTS} products"
    assert count(client.get("/?q=bag&price_max=1.5").text) == "1 product"
    assert count(client.get("/?color=red").text) == "20 products"
    assert count(client.get("/?q=number7").text) == "1 product"  # no encoder runs, so only keywords are searched


def test_a_search_shows_only_relevant_products_until_the_visitor_asks_for_all(client: httpx.Client) -> None:
    page = client.get("/?q=bag").text
    body = {"query": "bag", "top_k": 60, "cut": "relevant"}
    results = client.post("/search/text", json=body).json()
    assert count(page) == f"{results['total']} products"
    assert 24 < results["total"] < PRODUCTS
    counted = client.post("/facets", json={"query": "bag", "cut": "relevant", "fields": ["color"]}).json()
    for value in counted["facets"][0]["values"]:
        assert re.search(rf'name="color" value="{value["value"]}".*?<small>{value["products"]}</small>', page)
    last = client.get("/", params={"q": "bag", "price_max": "30"}).text
    [address] = links(last, "Show less relevant products")
    everything = client.get(address).text
    assert count(everything) == "20 products"
    assert links(everything, '<svg class="icon".*?</svg><span class="unseen">Remove Also less relevant')


def test_an_unknown_cut_in_the_address_is_ignored_with_a_remark(client: httpx.Client) -> None:
    page = client.get("/?q=bag&cut=best").text
    assert "“best” is no value of cut" in page
    assert titles(page) == titles(client.get("/?q=bag").text)


def test_a_chosen_value_has_a_chip_and_a_checked_box(client: httpx.Client) -> None:
    page = client.get("/", params={"brand": "Nord", "price_min": "10", "price_max": "20"}).text
    assert re.search(r'value="Nord" checked', page)
    assert links(page, '<svg class="icon".*?</svg><span class="unseen">Remove Nord') == ["/?price_min=10&price_max=20"]
    assert "€10 to €20" in page
    assert 'class="in"' in page


def test_a_chosen_value_without_products_can_be_unchecked(client: httpx.Client) -> None:
    page = client.get("/", params={"brand": "Nobody's"}).text
    assert count(page) == "No products"
    assert 'value="Nobody&#39;s" checked' in page
    assert links(page, "Search without filters") == ["/"]
    assert NO_PRODUCT_PASSES in page


def test_a_search_without_results_blames_the_filters_only_if_no_product_passes_them(client: httpx.Client) -> None:
    def advice(**asked: str) -> str:
        page = client.get("/", params=asked).text
        assert count(page) == "No products"
        return re.findall(r'<div class="empty">\s*<p>(.*?)</p>', page)[0]

    assert advice(q="zzyzx", brand="Nobody's") == NO_PRODUCT_PASSES
    assert advice(q="zzyzx", brand="Nord", cut="none") == "No product with these words passes all these filters."
    assert advice(q="zzyzx", brand="Nord") == "Try other words, or an image."


def test_htmx_gets_only_the_changed_part_and_an_address_without_empty_parameters(client: httpx.Client) -> None:
    empty = {"q": "bag", "picture": "", "price_min": "", "price_max": "", "color": ["red", "black"]}
    answer = client.get("/", params=empty, headers=HTMX)
    assert answer.text.lstrip().startswith("<title>bag")
    assert '<main id="results">' in answer.text
    assert "<html" not in answer.text
    assert answer.headers["hx-push-url"] == "/?q=bag&color=red&color=black"
    assert answer.headers["vary"].replace(" ", "").split(",") == ["HX-Request", "Accept-Language", "Accept-Encoding"]
    assert answer.headers["cache-control"] == "no-store"
    following = links(answer.text, "More results")[:1] or links(client.get("/?q=bag").text, "More results")
    more = client.get(following[0], headers=HTMX)
    assert "<main" not in more.text
    assert "hx-push-url" not in more.headers


@pytest.mark.parametrize(
    "state",
    [
        "/?q=bag%20%26%20%3Cb%3E%22%27%3D",
        "/?like=sku%201&unlike=sku%202",
        "/?q=red&brand=Nord&price_min=2.5",
        "/?color=red&color=black",
    ],
)  # fmt: skip
def test_htmx_pushes_a_valid_address_unchanged(client: httpx.Client, state: str) -> None:
    assert client.get(state, headers=HTMX).headers["hx-push-url"] == state


def test_a_visitor_can_search_with_the_name_of_an_uploaded_image(serve: Serve, own_database: Database) -> None:
    with answering(own_database), serve(own_database) as client:
        taken = upload(client, png(size=(2000, 1000)))
        assert taken.status_code == 200, taken.text
        assert "uploaded" in taken.headers["hx-trigger-after-settle"]
        [name] = re.findall(r'name="picture" value="([0-9a-f]{32})"', taken.text)
        kept = client.get(f"/picture/{name}")
        assert Image.open(BytesIO(kept.content)).size == (1024, 512)
        for query in ({}, {"q": "bag"}):
            page = client.get("/", params={"picture": name, "cut": "none", **query}).text
            assert len(titles(page)) == 24
            assert "Your image" in page
        assert upload(client, png(size=(2000, 1000))).text == taken.text


def test_no_image_is_fetched_from_an_address_of_this_machine_or_from_a_file(
    client: httpx.Client,
) -> None:
    refused = client.post("/picture", files={"address": (None, "http://127.0.0.1:1/guitar.png")}, headers=HTMX)
    assert refused.status_code == 422
    assert "The image of the other page cannot be fetched. Save the image, and drop the file here." in refused.text
    assert "WINDOWSHOP" not in refused.text
    neither = client.post("/picture", files={"address": (None, "file:///etc/passwd")}, headers=HTMX)
    assert "There is no image in the form." in neither.text


def test_the_page_asks_for_the_image_again_if_the_upload_is_no_longer_kept(client: httpx.Client) -> None:
    page = client.get("/", params={"picture": "0" * 32, "q": "bag"})
    assert page.status_code == 200
    assert "Drop it again" in page.text
    assert len(titles(page.text)) == 24
    assert client.get(f"/picture/{'0' * 32}").status_code == 404


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [
        (b"", 422, "The file is empty."),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 422, "cannot be opened as"),
        (png()[:60], 422, "cannot be opened as"),
        (png() + b"\0" * 10 * 1024 * 1024, 413, "larger than 10 MB"),
        (b"\0" * 17_000_000, 413, "too large"),
    ],
    ids=["empty", "svg", "cut off", "11 MB", "17 MB"],
)
def test_an_upload_that_is_too_large_or_not_an_image_shows_a_message(
    client: httpx.Client, content: bytes, status: int, said: str
) -> None:
    answer = upload(client, content)
    assert answer.status_code == status
    assert said in answer.text
    assert answer.headers["hx-retarget"] == "#notice"
    assert answer.headers["x-request-id"] in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "{base}"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
    ],
)
def test_a_form_of_another_site_cannot_upload(client: httpx.Client, headers: dict[str, str]) -> None:
    base = str(client.base_url).rstrip("/")
    sent = {name: value.format(base=base) for name, value in headers.items()}
    answer = client.post("/picture", files={"image": ("photo.png", png(), "image/png")}, headers=sent)
    assert answer.status_code == 403
    assert "Only this page itself can upload images." in answer.text


def test_the_form_of_the_page_uploads_without_javascript(client: httpx.Client) -> None:
    base = str(client.base_url).rstrip("/")
    [action] = re.findall(r'<form id="upload" action="([^"]*)"', client.get("/?q=bag&color=red&after=x&lang=de").text)
    assert unescape(action) == "/picture?q=bag&color=red&lang=de"

    def send(content: bytes, **headers: str) -> httpx.Response:
        """Sends the form again if the image is not opened in time, because the machine is busy."""

        def answer() -> httpx.Response | None:
            form = {"image": ("p.png", content, "image/png")}
            found = client.post(unescape(action), files=form, headers={"Accept": "text/html", **headers})
            return None if found.status_code == 504 else found

        found: httpx.Response = wait_until(answer, 60, "an answer")
        return found

    for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": base}):
        answer = send(png(), **headers)
        assert answer.status_code == 303
        assert re.fullmatch(r"/\?q=bag&picture=[0-9a-f]{32}&color=red&lang=de", answer.headers["location"])
        assert "/picture/" in client.get(answer.headers["location"]).text
        for content, status, said in ((b"", 422, "Danach kann nicht gesucht"), (b"\0" * 17_000_000, 413, "zu groß")):
            refused = send(content, **headers)
            assert refused.status_code == status
            assert refused.headers["content-type"].startswith("text/html")
            assert said in refused.text and "<title>" in refused.text


def test_the_oldest_upload_is_dropped_when_the_memory_for_uploads_is_full() -> None:
    from web.images.uploads import Uploads

    uploads = Uploads(bytes_kept=2_000)

    async def fill() -> tuple[bytes | None, bytes | None]:
        names = [await uploads.keep(png(size=(200 + n, 100))) for n in range(40)]
        return uploads.get(names[0]), uploads.get(names[-1])

    try:
        first, last = in_thread(fill())
    finally:
        uploads.close()
    assert first is None
    assert last is not None


def test_without_an_encoder_a_new_text_is_searched_by_its_words(client: httpx.Client) -> None:
    page = client.get("/", params={"q": "number7"})
    assert page.status_code == 200
    assert "Only words were searched" in page.text
    assert titles(page.text)[0].endswith("number7")


def test_without_an_encoder_a_new_image_gets_503_and_a_message(client: httpx.Client) -> None:
    [name] = re.findall(r'value="([0-9a-f]{32})"', upload(client, png("blue")).text)
    page = client.get("/", params={"picture": name})
    assert page.status_code == 503
    assert "retry-after" in page.headers
    assert "Images cannot be understood at the moment." in page.text
    assert page.headers["x-request-id"] in page.text
    assert "Your image" in page.text  # the chip of the image is still shown and can be removed


def test_an_empty_shop_says_that_it_has_no_products(serve: Serve, own_database: Database) -> None:
    with own_database.connect(None) as conn, conn.begin():
        conn.execute(text("delete from shop.product"))
    with serve(own_database) as client:
        page = client.get("/").text
        assert count(page) == "No products"
        assert "There are no products here yet." in page
        assert client.get("/?q=bag").status_code == 200


def test_an_unexpected_error_shows_the_request_id_and_no_internals(serve: Serve, own_database: Database) -> None:
    with serve(own_database) as client:
        assert client.get("/").status_code == 200
        with own_database.connect(None) as conn, conn.begin():
            conn.execute(text("revoke select on shop.product from shop_analyst"))
        page = client.get("/", params={"q": "bag"})
        assert page.status_code == 500
        assert page.headers["x-request-id"] in page.text
        assert "Something went wrong here." in page.text
        assert "permission" not in page.text
        assert 'value="bag"' in page.text
