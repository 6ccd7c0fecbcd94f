"""Behind a real nginx, the page and REST work below a path prefix, also with the configuration of docs/api.md."""

import io
import os
import re
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from PIL import Image

from db.engine import Database
from tests.support.browser import CARDS, GUITAR, box, expect_first
from tests.support.servers.nginx import nginx, nginx_server
from tests.support.web_service import LONG_DEADLINE
from web.server import running
from web.settings import WebSettings

# nginx passes the prefix on, or removes the prefix and perhaps names it in a header. If the address after `proxy_pass`
# ends in a slash, nginx removes the prefix and decodes encoded slashes.
KINDS = {
    "kept": ("/shop", "location /shop/ {{ proxy_pass {service}; }}", {"root_path": "/shop"}),
    "removed": ("/shop", "location /shop/ {{ proxy_pass {service}/; }}", {"root_path": "/shop"}),
    "named": (
        "/search",
        "location /search/ {{ proxy_pass {service}/; proxy_set_header X-Forwarded-Prefix /search; }}",
        {"trusted_proxies": [ip_network("127.0.0.0/8")]},
    ),
}

NGINX = re.search(
    r"```nginx\n(.*?)```", (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8"), re.DOTALL
)

pytestmark = pytest.mark.clients


@pytest.fixture(params=KINDS)
def prefixed(request: pytest.FixtureRequest, encoding_database: Database, tmp_path: Path) -> Iterator[str]:
    """Yields the address of the service below the prefix."""
    prefix, location, options = KINDS[request.param]
    settings = LONG_DEADLINE.model_copy(update=options)
    with running(encoding_database, settings) as service, nginx(tmp_path, location.format(service=service)) as front:
        yield front + prefix


def test_the_page_works_below_a_prefix(prefixed: str, visit: Any) -> None:
    page = visit(f"{prefixed}/")
    lost: list[str] = []
    page.on("response", lambda answer: lost.append(answer.url) if answer.status >= 400 else None)
    page.on("request", lambda sent: lost.append(sent.url) if not sent.url.startswith(prefixed) else None)
    page.reload()
    page.wait_for_load_state("networkidle")
    assert page.locator(CARDS).count() == 24
    assert page.locator(".tile img").first.evaluate("image => image.naturalWidth") > 0
    box(page).fill("a guitar")
    expect_first(page, "guitar")
    assert page.url == f"{prefixed}/?q=a%20guitar"
    page.get_by_role("link", name=re.compile("^More like this")).first.click()
    page.locator(".chip-like").wait_for()
    page.locator("#file").set_input_files(GUITAR)
    page.locator(".chip-image img").wait_for()
    assert page.locator(".chip-image img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    with page.expect_response(re.compile(r"/suggestions\?q=gu")):
        box(page).press_sequentially("gu")
    page.locator(CARDS).first.locator("h3 a").click()
    page.wait_for_url(re.compile(f"^{re.escape(prefixed)}/product"))
    assert page.locator(".gallery img").first.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    page.locator(".brand").click()
    page.wait_for_url(f"{prefixed}/")
    assert lost == []


def test_the_api_works_below_a_prefix(prefixed: str) -> None:
    with httpx.Client(timeout=60) as client:
        found = client.post(f"{prefixed}/search/text", json={"query": "a guitar"}).raise_for_status().json()["results"]
        image = httpx.URL(prefixed).join(found[0]["picture"]["url"])
        assert str(image).startswith(prefixed)
        assert client.get(f"{image}&size=64").headers["content-type"] == "image/webp"
        body = {"products": [{"sku": "a/b", "title": "A red bag"}]}
        client.put(f"{prefixed}/products", json=body).raise_for_status()
        assert client.get(f"{prefixed}/products/a%2Fb").json()["sku"] == "a/b"
        assert client.delete(f"{prefixed}/products/a%2Fb").status_code == 204
        refused = client.request("PATCH", f"{prefixed}/products/a%2Fb")
        assert refused.headers["allow"] == "DELETE, GET, HEAD, OPTIONS"
        document = client.get(f"{prefixed}/openapi/openapi.json").json()
        assert document["servers"] == [{"url": httpx.URL(prefixed).path}]


def test_the_configuration_in_the_docs_serves_the_page_with_tls(encoding_database: Database, tmp_path: Path) -> None:
    assert NGINX
    told = {name.lower(): value for name, value in re.findall(r"# WINDOWSHOP_WEB_(\w+)=(\S+)", NGINX[1])}
    options = WebSettings.model_validate(told).model_dump(include=set(told))
    certificate = trustme.CA().issue_cert("shop.example")
    certificate.private_key_pem.write_to_path(tmp_path / "shop.example.key")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "shop.example.pem")
    image = Image.frombytes("RGB", (1200, 1000), os.urandom(1200 * 1000 * 3))
    image.save(photo := io.BytesIO(), "PNG")
    headers = {"Host": "shop.example", "X-Forwarded-Prefix": "/other", "X-Forwarded-Proto": "http"}
    with running(encoding_database, LONG_DEADLINE.model_copy(update=options)) as service:
        block = NGINX[1].replace("http://127.0.0.1:8000", service).replace("/etc/ssl", str(tmp_path))
        with (
            nginx_server(tmp_path, block.replace("listen 443", "listen 127.0.0.1:PORT")) as port,
            httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=False, headers=headers, timeout=60) as client,
        ):
            page = client.get("/shop/").raise_for_status().text
            assert '<link rel="canonical" href="https://shop.example/shop/">' in page
            styles = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page)
            assert all(client.get(style).status_code == 200 for style in styles)
            assert {style.split("/")[1] for style in styles} == {"shop"}
            assert len(photo.getvalue()) > 3_000_000
            files = {"image": ("photo.png", photo.getvalue())}
            searched = client.post("/shop/picture", files=files, headers={"Origin": "https://shop.example"})
            assert searched.status_code == 303, searched.text
            assert searched.headers["location"].startswith("/shop/?picture=")
