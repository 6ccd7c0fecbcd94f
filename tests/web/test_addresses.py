"""The service reads SKUs with slashes, names the methods that an address allows, and refuses unknown parameters. It
answers below a path prefix, and only to its host names."""

import json
from ipaddress import ip_network

import httpx
import pytest
from pydantic import ValidationError

from db.engine import Database
from tests.support.web_service import Serve
from web.settings import WebSettings

SKUS = ("a/b", "a//b/", "/lead", "50%2Foff", "x/similar", "similar", "ä/ö ü")


def quoted(sku: str) -> str:
    return httpx.URL("http://x", params={"q": sku}).query.decode()[2:].replace("+", "%20").replace("/", "%2F")


@pytest.mark.parametrize("sku", SKUS)
def test_the_routes_of_a_product_accept_a_sku_with_a_slash(own_database: Database, serve: Serve, sku: str) -> None:
    with serve(own_database) as client:
        client.put("/products", json={"products": [{"sku": sku, "title": "A bag"}]}).raise_for_status()
        path = f"/products/{quoted(sku)}"
        assert client.get(path).json()["sku"] == sku
        similar = client.get(f"{path}/similar")
        assert similar.status_code in (404, 503, 200)
        assert "There is no route" not in similar.text
        assert client.delete(path).status_code == 204
        assert client.get(path).status_code == 404


def test_a_slash_that_a_proxy_has_decoded_belongs_to_the_sku(own_database: Database, serve: Serve) -> None:
    with serve(own_database) as client:
        client.put("/products", json={"products": [{"sku": "a/b", "title": "A bag"}]}).raise_for_status()
        assert client.get("/products/a/b").json()["sku"] == "a/b"
        assert client.get("/products/a/b/").json()["sku"] == "a/b"
        assert client.delete("/products/a/b").status_code == 204


def test_a_search_for_similar_products_accepts_an_encoded_sku(client: httpx.Client) -> None:
    assert client.get("/products/sku%201/similar", params={"top_k": 3}).status_code == 200
    assert client.get("/products/no%2Fsuch/similar").json()["type"].endswith(":not-found")
    assert client.get("/products/a%00b").status_code == 422


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/products/sku%201", "DELETE, GET, HEAD, OPTIONS"),
        ("/products/a%2Fb", "DELETE, GET, HEAD, OPTIONS"),
        ("/products", "OPTIONS, PUT"),
        ("/search", "OPTIONS, POST"),
        ("/", "GET, HEAD, OPTIONS"),
    ],
)
def test_the_header_allow_names_the_methods_of_an_address(client: httpx.Client, path: str, methods: str) -> None:
    asked = client.request("OPTIONS", path)
    assert (asked.status_code, asked.headers["allow"]) == (204, methods)
    for method in ("TRACE", "PATCH", "PROPFIND"):
        refused = client.request(method, path)
        assert (refused.status_code, refused.headers["allow"]) == (405, methods), method


@pytest.mark.parametrize(
    ("method", "path", "known"),
    [
        ("GET", "/products/sku%201?catalogue=main", "catalog"),
        ("GET", "/products/sku%201?sku=x", "catalog"),
        (
            "GET",
            "/products/sku%201/similar?topk=3&catalog=main",
            "catalog, change, cut, diversity, filter, group_by, page, sort, top_k",
        ),
        ("DELETE", "/products/none?force=1", "catalog"),
        ("POST", "/search/text?top_k=3", ""),
        ("PUT", "/products?strict=true", ""),
        ("GET", "/images/0b1f3f6e9d5b4c0f8a7d2e6c4b8a9f10?width=3", "position, size, v"),
    ],
)
def test_an_unknown_parameter_is_refused_with_the_known_ones(
    client: httpx.Client, method: str, path: str, known: str
) -> None:
    body = {"query": "bag"} if method == "POST" else None
    answer = client.request(method, path, json=body)
    assert answer.status_code == 422
    assert "There is no parameter" in answer.json()["detail"]
    assert known in answer.json()["hint"]


def test_probes_and_the_page_ignore_unknown_parameters(client: httpx.Client) -> None:
    for path in ("/health?probe=1", "/ready?probe=1", "/?utm_source=mail"):
        assert client.get(path).status_code == 200


# --- a path prefix


def pictures(client: httpx.Client, path: str, headers: dict[str, str] | None = None) -> set[str]:
    results = client.post(path, json={"query": "bag"}, headers=headers).raise_for_status().json()["results"]
    return {one["picture"]["url"].split("?")[0].rpartition("/")[0] for one in results}


def test_addresses_below_a_root_path_have_the_prefix(serve: Serve) -> None:
    with serve(root_path="/shop/search") as client:
        for start in ("/shop/search", ""):  # the proxy passes the prefix on, or removes it
            assert pictures(client, f"{start}/search/text") == {"/shop/search/images"}
            page = client.get(f"{start}/?q=bag").text
            assert page.count('"/shop/search/') > 30
            for attribute in ("href", "src", "action", "hx-get", "hx-post"):
                assert f'{attribute}="/?' not in page
                assert f'{attribute}="/static' not in page
                assert f'{attribute}="/"' not in page
            assert client.get(f"{start}/openapi/openapi.json").json()["servers"] == [{"url": "/shop/search"}]
            assert client.get(f"{start}/ready").status_code == 200
            assert client.get(f"{start}/products/sku%201").json()["sku"] == "sku 1"
        image = client.post("/search/text", json={"query": "bag"}).json()["results"][0]["picture"]["url"]
        assert client.get(f"{image}&size=64").headers["content-type"] == "image/webp"
        assert client.get("/shop/searching").status_code == 404


def test_a_trusted_proxy_names_the_prefix_of_each_request(serve: Serve) -> None:
    with serve(trusted_proxies=[ip_network("127.0.0.0/8")]) as client:
        prefixed = {"X-Forwarded-Prefix": "/search"}
        assert pictures(client, "/search/text", prefixed) == {"/search/images"}
        assert pictures(client, "/search/text") == {"/images"}
        assert 'action="/search/"' in client.get("/", headers=prefixed).text
        for bad in ("//evil.example", "shop", "/a b", "/a?x", '/"><script>', "/../x"):
            answer = client.get("/", headers={"X-Forwarded-Prefix": bad})
            assert answer.status_code == 400, bad
            assert "evil" not in answer.text and "<script>&" not in answer.text


def test_without_trusted_proxies_x_forwarded_prefix_is_ignored(client: httpx.Client) -> None:
    assert pictures(client, "/search/text", {"X-Forwarded-Prefix": "/evil"}) == {"/images"}


@pytest.mark.parametrize("value", ["shop", "/a b", "//x", "/search", "/products/x", "/../a", "/" + "a/" * 9])
def test_a_root_path_that_cannot_work_is_refused(value: str) -> None:
    with pytest.raises(ValidationError, match="root_path"):
        WebSettings(root_path=value)


# --- host names


@pytest.mark.parametrize(
    ("allowed", "host", "status"),
    [
        ([], "127.0.0.1", 200),
        ([], "evil.example", 400),
        (["shop.example"], "shop.example:8443", 200),
        (["shop.example"], "SHOP.example.", 200),
        (["shop.example"], "localhost", 200),
        (["shop.example"], "evil.example", 400),
        (["shop.example"], "www.shop.example", 400),
        (["*.shop.example"], "www.shop.example", 200),
        (["*.shop.example"], "evilshop.example", 400),
        (["*"], "anything.example", 200),
    ],
)
def test_the_service_answers_only_to_its_host_names(serve: Serve, allowed: list[str], host: str, status: int) -> None:
    with serve(allowed_hosts=allowed) as client:
        answer = client.get("/products/sku%201", headers={"Host": host})
        assert answer.status_code == status
        if status == 400:
            assert "WINDOWSHOP_WEB_ALLOWED_HOSTS" in answer.json()["hint"]
        assert client.get("/health", headers={"Host": host}).status_code == 200


def test_only_loopback_names_and_allowed_hosts_are_accepted_while_keys_are_off(
    serve: Serve,
) -> None:
    with serve(api_keys="off") as client:
        assert client.get("/", headers={"Host": "localhost"}).status_code == 200
        assert client.get("/", headers={"Host": "evil.example"}).status_code == 400
    with serve(api_keys="off", allowed_hosts=["shop.example"]) as client:
        assert client.get("/", headers={"Host": "shop.example"}).status_code == 200


def test_while_keys_are_on_any_host_name_is_allowed_if_allowed_hosts_is_unset(serve: Serve) -> None:
    with serve(api_keys="on", public_catalogs=["*"]) as client:
        assert client.get("/", headers={"Host": "anything.example"}).status_code == 200
    with serve(api_keys="on", public_catalogs=["*"], allowed_hosts=["shop.example"]) as client:
        assert client.get("/", headers={"Host": "anything.example"}).status_code == 400


@pytest.mark.parametrize("value", ["https://shop.example", "shop example", "*shop.example", "a/b", "shop.example:8000"])
def test_an_allowed_host_that_is_not_a_host_name_is_refused(value: str) -> None:
    with pytest.raises(ValidationError, match="allowed_hosts"):
        WebSettings(allowed_hosts=value)  # type: ignore[arg-type]


def test_the_openapi_document_lists_415_only_for_routes_with_a_body(client: httpx.Client) -> None:
    paths = json.loads(client.get("/openapi/openapi.json").text)["paths"]
    assert set(paths["/health"]["get"]["responses"]) == {"200", "500"}
    assert "415" not in paths["/v1/products/{sku}"]["get"]["responses"]
    assert {"404", "415"} <= set(paths["/v1/products"]["put"]["responses"])
