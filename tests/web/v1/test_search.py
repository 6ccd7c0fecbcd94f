"""/v1/search and /v1/multi-search search, list and count products, and refuse options that contradict each other.

The paths of a product, of similar products and of facets have aliases without /v1.
"""

import base64
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from PIL import Image as Drawing
from sqlalchemy import text

from db import api_keys
from db.engine import Database
from tests.support.databases import Databases
from tests.support.web_service import PRODUCTS, SETTINGS, Serve, answering, cache, served
from web.api.v1.schemas import DEFAULT_FIELDS, Field, Hit

IMAGE = b"the bytes of an image whose vector is in the cache"


def ask(client: httpx.Client, **body: Any) -> httpx.Response:
    return client.post("/v1/search", json=body)


def found(client: httpx.Client, **body: Any) -> dict[str, Any]:
    answer: dict[str, Any] = ask(client, **body).raise_for_status().json()
    return answer


def refusal(client: httpx.Client, **body: Any) -> str:
    answer = ask(client, **body)
    assert answer.status_code == 422, answer.text
    return str(answer.json()["detail"])


def skus(answer: dict[str, Any]) -> list[str]:
    return [result["sku"] for result in answer["results"]]


def test_a_search_returns_the_same_results_at_both_paths(client: httpx.Client) -> None:
    body = {"query": "bag", "top_k": 7, "filter": {"color": "red"}, "weights": {"keyword": 0.5}}
    old, new = client.post("/search", json=body).json(), found(client, **body)
    assert new["results"] == old["results"]
    assert {name: new[name] for name in old if name != "search_id"} == {
        name: old[name] for name in old if name != "search_id"
    }
    assert new["search_id"] != old["search_id"]


def test_the_similarity_is_the_cosine_similarity_of_the_image_and_at_least_0(client: httpx.Client) -> None:
    results = found(client, query="bag", top_k=50)["results"]
    for result in results:
        distance = result["why"]["image"]["distance"]
        assert result["similarity"] == pytest.approx(max(0, 1 - distance), abs=1e-4)
    low = min(0.1, max(result["similarity"] for result in results) / 2)
    kept = found(client, query="bag", top_k=50, min_similarity=low)["results"]
    assert kept
    assert all(result["similarity"] >= low - 1e-4 for result in kept if result["similarity"] is not None)


def test_each_search_has_an_id_of_its_own(client: httpx.Client) -> None:
    assert len({found(client, query="bag")["search_id"] for _ in range(3)}) == 3


def test_the_products_that_pass_the_filter_are_listed_without_a_query(client: httpx.Client) -> None:
    seen: list[str] = []
    page = None
    while True:
        answer = found(client, top_k=7, filter={"color": "red"}, page=page)
        assert (answer["total"], answer["total_is"], answer["route"]) == (20, "exact", None)
        seen += skus(answer)
        page = answer["next"]
        if page is None:
            break
    assert sorted(seen) == sorted(f"sku {n}" for n in range(3, PRODUCTS + 1, 3))
    first = answer["results"][0]
    assert (first["score"], first["similarity"], first["why"]) == (None, None, None)
    assert found(client, top_k=1000)["next"] is None
    assert found(client)["total"] == PRODUCTS
    assert found(client, filter={"brand": "nobody"})["total"] == 0


def test_options_that_need_a_query_are_refused_without_one(client: httpx.Client) -> None:
    for name, value in (("weights", {"image": 1}), ("min_similarity", 0.1), ("max_gap", 0.1), ("explain", True)):
        assert refusal(client, **{name: value}) == f"{name} needs a query, an image or inputs."
    assert refusal(client, query="  ") == "The query is empty."


def test_a_cursor_of_another_search_is_refused(client: httpx.Client) -> None:
    of_search = found(client, query="bag", top_k=2)["next"]
    of_list = found(client, top_k=2)["next"]
    assert skus(found(client, top_k=2, page=of_list))
    other = [
        {"query": "red", "page": of_search},
        {"query": "bag", "filter": {"color": "red"}, "page": of_search},
        {"query": "bag", "page": of_list},
        {"page": of_search},
        {"filter": {"color": "red"}, "page": of_list},
        {"catalog": "other", "page": of_list},
    ]
    for body in other:
        assert "cursor belongs to another search" in refusal(client, **body)
    assert "cursor" in refusal(client, query="bag", page="nonsense")


def test_the_facets_of_a_search_are_those_that_v1_facets_returns(client: httpx.Client) -> None:
    for query in ({"query": "bag", "cut": "relevant"}, {"query": "bag"}, {}):
        body: dict[str, Any] = {**query, "filter": {"color": "red"}, "facets": ["color", "attributes.strap_cm"]}
        counted = client.post("/v1/facets", json={**query, "filter": {"color": "red"}, "fields": body["facets"]})
        assert found(client, **body)["facets"] == counted.json()["facets"]
    assert found(client, query="bag")["facets"] is None
    assert "facets cannot be counted over 'nonsense'" in refusal(client, facets=["nonsense"])


def test_only_the_named_fields_are_returned(client: httpx.Client) -> None:
    for query in ({"query": "bag"}, {}):
        answer = found(client, **query, top_k=3, fields=["title", "attributes", "quantity", "rank"])
        assert all(set(result) == {"rank", "sku", "title", "attributes", "quantity"} for result in answer["results"])
        assert answer["results"][0]["attributes"]["strap_cm"]
        assert set(found(client, **query)["results"][0]) == {"rank", "sku", *DEFAULT_FIELDS}
    whole = found(client, query="bag", top_k=1, fields=list(get_args(Field)))["results"][0]
    assert set(whole) == set(get_args(Field)) == set(Hit.__struct_fields__)
    assert "Invalid enum value 'cost'" in refusal(client, query="bag", fields=["title", "cost"])


def test_a_hidden_attribute_is_not_returned(serve: Serve) -> None:
    with serve(attributes=["weight"]) as client:
        assert found(client, query="bag", fields=["attributes"])["results"][0]["attributes"] == {}
        assert "hidden" in refusal(client, query="bag", facets=["attributes.strap_cm"])


def test_a_key_with_a_filter_sees_only_its_products(databases: Databases, shop_template: str) -> None:
    database = databases.copy(shop_template)
    with database.connect(None) as conn, conn.begin():
        key = api_keys.create(conn, "red", ["search"], catalogs=["main"], filter_={"color": "red"})
    with served(database, SETTINGS.model_copy(update={"api_keys": "on"})) as client:
        client.headers["Authorization"] = f"Bearer {key}"
        for query in ({"query": "bag"}, {}):
            answer = found(client, **query, top_k=30, facets=["color"])
            assert {result["color"] for result in answer["results"]} == {"red"}
            assert answer["total"] == 20
            assert [value["value"] for value in answer["facets"][0]["values"]] == ["red"]
        assert ask(client, query="bag", catalog="other").status_code == 403
        assert ask(client, query="bag", explain=True).status_code == 403
        assert ask(client, inputs=[{"sku": "sku 1"}]).status_code == 404


# --- images


@pytest.fixture(scope="module")
def served_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    Drawing.new("RGB", (90, 60), "red").save(folder / "red.png")
    (folder / "page.html").write_text("<p>not an image</p>")
    return folder


@pytest.fixture(scope="module")
def host(served_images: Path) -> Iterator[int]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(served_images))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def encoding(databases: Databases, shop_template: str, host: int) -> Iterator[httpx.Client]:
    """Yields a client of a service that may fetch from `host`. An encoder answers its queries."""
    database = databases.copy(shop_template)
    settings = SETTINGS.model_copy(update={"fetch_hosts": ["127.0.0.1"], "fetch_ports": [host]})
    with answering(database), served(database, settings) as client:
        yield client


def test_an_image_in_base64_is_searched(client: httpx.Client, shop_database: Database) -> None:
    with shop_database.connect(None) as conn, conn.begin():
        cache(conn, b"i", IMAGE, None, 3)
    answer = found(client, image=base64.b64encode(IMAGE).decode(), top_k=4)
    assert skus(answer) == skus(client.post("/search/image", files={"image": IMAGE}, data={"top_k": "4"}).json())


def test_an_image_at_an_address_is_searched_as_if_it_had_been_sent(
    encoding: httpx.Client, host: int, served_images: Path
) -> None:
    content = base64.b64encode((served_images / "red.png").read_bytes()).decode()
    sent = found(encoding, image=content)
    by_address = found(encoding, image_url=f"http://127.0.0.1:{host}/red.png")
    assert by_address["results"] == sent["results"]
    assert by_address["results"]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:{port}/missing.png", "the server answers 404"),
        ("http://127.0.0.2:{port}/red.png", "not public"),
        ("http://localhost/red.png", "not public"),
        ("http://[::1]/red.png", "not public"),
        ("http://169.254.169.254/latest", "not public"),
        ("http://127.0.0.1:1/red.png", "port 1 is not allowed"),
        ("file:///etc/passwd", "Expected `str` matching regex"),
        ("http://user@127.0.0.1/", "user name"),
    ],
)
def test_an_address_that_cannot_or_must_not_be_fetched_gets_422_with_the_reason(
    encoding: httpx.Client, host: int, url: str, reason: str
) -> None:
    assert reason in refusal(encoding, image_url=url.format(port=host))


def test_an_unknown_host_and_a_host_that_is_not_public_get_the_same_reason(encoding: httpx.Client, host: int) -> None:
    reasons = {refusal(encoding, image_url=f"http://{name}/a.png") for name in ("localhost", "nobody.invalid")}
    assert len(reasons) == 1
    assert "the host is unknown, or leads to an address that is not public" in reasons.pop()


def quarters(orientation: int = 1) -> str:
    """Returns an image with a red, a green, a blue and a white quarter, as base64."""
    image = Drawing.new("RGB", (80, 40), "white")
    for colour, place in (("red", (0, 0)), ("green", (40, 0)), ("blue", (0, 20))):
        image.paste(colour, (*place, place[0] + 40, place[1] + 20))
    exif = Drawing.Exif()
    exif[0x0112] = orientation
    content = BytesIO()
    image.save(content, "PNG", exif=exif)
    return base64.b64encode(content.getvalue()).decode()


def test_a_region_of_an_image_is_searched_in_place_of_the_image(encoding: httpx.Client) -> None:
    red, green, blue = ({"left": left, "top": top, "width": 0.5, "height": 0.5}
                        for left, top in ((0, 0), (0.5, 0), (0, 0.5)))  # fmt: skip
    whole = found(encoding, image=quarters())["results"]
    regions = [found(encoding, image=quarters(), box=box)["results"] for box in (red, green, blue)]
    assert all(regions)
    assert all(one not in (whole, *regions[:n]) for n, one in enumerate(regions))
    assert found(encoding, image=quarters(orientation=3), box=blue)["results"] == regions[1]  # turned by 180 degrees


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ({"left": 0, "top": 0, "width": 0, "height": 1}, "The box has no area"),
        ({"left": 0, "top": 0.3, "width": 0.3, "height": 0.0}, "The box has no area"),
        ({"left": 0.6, "top": 0, "width": 0.5, "height": 1}, "outside the image: left + width is 1.1"),
        ({"left": 0, "top": 0.9, "width": 0.5, "height": 1}, "outside the image: top + height is 1.9"),
        ({"left": 0.5, "top": 0.5, "width": 1e-6, "height": 1e-6}, "no pixel of the image, which has 80 x 40 pixels"),
        ({"left": -0.1, "top": 0, "width": 1, "height": 1}, "`$.box.left`"),
        ({"left": 0, "top": 0, "width": 80, "height": 40}, "`$.box.width`"),
    ],
)
def test_a_region_without_area_or_outside_the_image_gets_422(
    encoding: httpx.Client, box: dict[str, float], reason: str
) -> None:
    assert reason in refusal(encoding, image=quarters(), box=box)


def test_an_image_option_that_contradicts_another_gets_422(encoding: httpx.Client) -> None:
    box = {"left": 0, "top": 0, "width": 1, "height": 1}
    assert refusal(encoding, query="bag", box=box) == "A box needs image or image_url."
    both = {"image": quarters(), "image_url": "https://shop.example/a.jpg"}
    assert refusal(encoding, **both) == "Give image or image_url, not both."


def test_a_region_of_a_file_that_is_not_an_image_gets_422(encoding: httpx.Client) -> None:
    box = {"left": 0, "top": 0, "width": 1, "height": 1}
    not_an_image = base64.b64encode(b"<p>not an image</p>").decode()
    assert "The region cannot be read" in refusal(encoding, image=not_an_image, box=box)


# --- several searches


def test_only_the_faulty_searches_of_a_multi_search_have_a_problem(client: httpx.Client) -> None:
    searches = [{"query": "bag", "top_k": 3}, {"query": "bag", "nonsense": 1}, {"filter": {"nonsense": 1}},
                {"filter": {"color": "red"}}, 7]  # fmt: skip
    answers = client.post("/v1/multi-search", json={"searches": searches}).raise_for_status().json()["answers"]
    assert [answer["found"] is not None for answer in answers] == [True, False, False, True, False]
    assert answers[0]["found"]["results"] == found(client, query="bag", top_k=3)["results"]
    assert answers[3]["found"]["total"] == 20
    assert [answer["problem"]["status"] for answer in answers if answer["problem"]] == [422, 422, 422]
    assert "nonsense" in answers[1]["problem"]["detail"]


def test_only_searches_that_the_time_limit_cuts_off_have_a_problem(serve: Serve, shop_database: Database) -> None:
    body = {"searches": [{"filter": {"color": "red"}}, {"query": "bag"}, {"filter": {"color": "red"}}]}
    with serve(deadline_ms=1500) as client, shop_database.connect(None) as conn, conn.begin():
        conn.execute(text("lock table shop_private.query_embedding in access exclusive mode"))
        answers = client.post("/v1/multi-search", json=body).raise_for_status().json()["answers"]
    assert answers[0]["found"]["total"] == 20
    assert [answer["problem"]["type"] for answer in answers[1:]] == ["urn:windowshop:problem:timeout"] * 2


def test_a_thousand_searches_in_one_request_get_one_error(client: httpx.Client) -> None:
    answer = client.post("/v1/multi-search", json={"searches": [{"query": "bag"}] * 1000})
    assert answer.status_code == 422
    assert answer.json()["detail"] == "Expected `array` of length <= 20 - at `$.searches`"


def test_each_search_of_a_multi_search_counts_towards_the_rate_limit(serve: Serve) -> None:
    with serve(rate_per_address=10) as client:
        body = {"searches": [{"top_k": 1}] * 6}
        assert client.post("/v1/multi-search", json=body).status_code == 200
        assert client.post("/v1/multi-search", json=body).status_code == 429


# --- paths


def test_the_paths_without_v1_are_aliases(client: httpx.Client) -> None:
    for path in ("/products/sku 1", "/products/sku 1/similar?top_k=3"):
        old, new = client.get(path).json(), client.get("/v1" + path).json()
        assert {**old, "search_id": 0} == {**new, "search_id": 0}
    body = {"fields": ["color"]}
    assert client.post("/facets", json=body).json() == client.post("/v1/facets", json=body).json()
    documented = client.get("/openapi/openapi.json").json()["paths"]
    assert "/v1/facets" in documented
    assert "/facets" not in documented
    assert client.get("/v1/products/a%2Fb").status_code == 404


def test_the_searches_leave_the_number_of_products_unchanged(shop_database: Database) -> None:
    with shop_database.connect(None) as conn:
        assert conn.scalar(text("select count(*) from shop.product")) == PRODUCTS
