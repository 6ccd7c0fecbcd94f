"""While API keys are on, most routes need a key with the scope of the route. Requests are limited per minute."""

import socket
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Any

import httpx
import pytest
from litestar.handlers import HTTPRouteHandler
from sqlalchemy import text

from db import api_keys
from db.api_keys import PREFIX
from db.engine import Database
from db.roles import Role
from tests.support.processes import windowshop
from tests.support.web_service import ROUTES, Serve

PUBLIC = {"health", "ready", "image"}  # these routes need no key
NEEDS = {  # maps the handler of a route to the scope that the route needs
    "search_text": "search", "search_image": "search", "search_image_file": "search",
    "search_products": "search", "multi_search": "search", "read_encoding": "search", "list_catalogs": "search",
    "patch_product": "write", "delete_products": "write", "export_products": "write", "delete_catalog": "write",
    "suggest": "search", "list_synonyms": "admin", "add_synonym": "admin", "delete_synonym": "admin",
    "list_rules": "admin", "create_rule": "admin", "read_rule": "admin", "replace_rule": "admin",
    "delete_rule": "admin", "list_signals": "admin", "ask_what_if": "admin",
    "create_watch": "write", "list_watches": "write", "delete_watch": "write", "list_matches": "write",
    "search": "search", "similar": "search", "facets": "search",
    "read_product": "search", "put_products": "write", "delete_product": "write", "record_events": "search",
}  # fmt: skip


def token(database: Database, *scopes: str, name: str = "a-key") -> str:
    with database.connect(None) as conn, conn.begin():
        return api_keys.create(conn, name, scopes)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def keyed_client(shop_database: Database) -> Iterator[httpx.Client]:
    from tests.support.web_service import SETTINGS, served

    with served(shop_database, SETTINGS.model_copy(update={"api_keys": "on"})) as client:
        yield client


@pytest.mark.parametrize("route", [route for _, route in ROUTES], ids=lambda route: route.handler_name)
def test_every_route_needs_a_scope_or_is_in_the_list_of_public_routes(route: HTTPRouteHandler) -> None:
    assert route.opt.get("scope") == NEEDS.get(route.handler_name)
    assert (route.handler_name in PUBLIC) != (route.handler_name in NEEDS)


@pytest.mark.parametrize(
    ("path", "route"),
    [each for each in ROUTES if each[1].handler_name in NEEDS],
    ids=lambda value: getattr(value, "handler_name", ""),
)
@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer"}, bearer(PREFIX + "x" * 43), bearer("x" * 5000), {"Authorization": "Basic YTpi"}],
    ids=["none", "empty", "made up", "huge", "another kind"],
)
def test_every_route_that_needs_a_key_answers_401_without_a_valid_key(
    keyed_client: httpx.Client, path: str, route: HTTPRouteHandler, headers: dict[str, str]
) -> None:
    path = (
        path.replace("{sku:str}", "sku 1")
        .replace("{catalog:str}", "main")
        .replace("{name:str}", "w")
        .replace("{synonym_id:int}", "1")
        .replace("{rule_id:int}", "1")
    )
    answer = keyed_client.request(min(route.http_methods), path, headers=headers, json={})
    assert answer.status_code == 401
    assert answer.json()["type"] == "urn:windowshop:problem:key-missing"
    assert answer.headers["www-authenticate"] == "Bearer"


def test_health_and_readiness_need_no_key(keyed_client: httpx.Client) -> None:
    assert keyed_client.get("/health").status_code == keyed_client.get("/ready").status_code == 200


@pytest.mark.parametrize(("scope", "search", "write"), [("search", 200, 403), ("write", 200, 404), ("admin", 200, 404)])
def test_a_key_allows_the_routes_of_its_scope(
    serve: Serve, own_database: Database, scope: str, search: int, write: int
) -> None:
    headers = bearer(token(own_database, scope))
    with serve(own_database, api_keys="on") as client:
        assert client.post("/search/text", json={"query": "bag"}, headers=headers).status_code == search
        assert client.delete("/products/nothing", headers=headers).status_code == write


def test_the_database_stores_no_token(own_database: Database) -> None:
    key = token(own_database, "search")
    with own_database.connect(None) as conn:
        assert key not in str(conn.scalar(text("select k::text from shop_private.api_key k")))


def test_a_revoked_key_is_refused(serve: Serve, own_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.http.access.CACHE_SECONDS", 0)
    key = token(own_database, "search")
    with serve(own_database, api_keys="on") as client:
        assert client.get("/products/sku 1", headers=bearer(key)).status_code == 200
        with own_database.connect(None) as conn, conn.begin():
            assert api_keys.revoke(conn, "a-key")
        assert client.get("/products/sku 1", headers=bearer(key)).status_code == 401


def test_the_roles_app_and_analyst_cannot_read_keys(own_database: Database) -> None:
    for role in (Role.APP, Role.ANALYST):
        with own_database.connect(role) as conn, pytest.raises(Exception, match="permission denied"):
            conn.execute(text("select * from shop_private.api_key"))


def test_keys_are_created_and_listed_and_revoked_on_the_command_line(
    own_database: Database, environment: Callable[[Database], dict[str, str]]
) -> None:
    env = environment(own_database)
    made = windowshop("key", "create", "shop-front", "--scope", "search", "--scope", "write", env=env)
    assert made.returncode == 0, made.stderr
    assert made.stdout.strip().startswith(PREFIX)
    assert windowshop("key", "create", "shop-front", env=env).returncode == 2
    assert windowshop("key", "create", "other", "--scope", "everything", env=env).returncode == 2
    listed = windowshop("key", "list", env=env).stdout
    assert "shop-front" in listed
    assert made.stdout.strip() not in listed
    assert windowshop("key", "revoke", "shop-front", env=env).returncode == 0
    assert windowshop("key", "revoke", "shop-front", env=env).returncode == 2


def test_only_loopback_names_are_accepted_as_host_while_keys_are_off(serve: Serve) -> None:
    with serve() as client:
        assert client.get("/products/sku 1", headers={"Host": "localhost:8000"}).status_code == 200
        assert client.get("/products/sku 1", headers={"Host": "[::1]"}).status_code == 200
        assert client.get("/products/sku 1", headers={"Host": "evil.example"}).status_code == 400


def test_keys_are_on_by_default_if_other_machines_can_connect(serve: Serve) -> None:
    with serve(api_keys="auto", host="0.0.0.0") as client:
        port = client.base_url.port
        assert client.get(f"http://127.0.0.1:{port}/products/sku 1").status_code == 401


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({}, 200),
        ({"allowed_hosts": ["shop.example"]}, 401),
        ({"trusted_proxies": [ip_network("127.0.0.1/32")]}, 401),
        ({"root_path": "/shop"}, 401),
        ({"public_url": "https://shop.example"}, 401),
        ({"api_keys": "off", "allowed_hosts": ["shop.example"]}, 200),
    ],
)
def test_keys_are_on_by_default_if_a_proxy_on_this_machine_passes_on_requests(
    serve: Serve, settings: dict[str, Any], status: int
) -> None:
    with serve(**{"api_keys": "auto", **settings}) as client:
        assert client.get("/v1/products/sku 1").status_code == status
        staff = client.get("/staff", headers={"Accept": "text/html"})
        assert ('name="key"' in staff.text) == (status == 401)


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Forwarded", "Via"]
)
def test_while_keys_are_off_by_default_a_request_through_a_proxy_is_refused(serve: Serve, header: str) -> None:
    with serve(api_keys="auto") as client:
        refused = client.delete("/v1/products/sku 1", headers={header: "203.0.113.9"})
        assert refused.status_code == 400
        assert "WINDOWSHOP_WEB_API_KEYS" in refused.json()["hint"]
        assert client.get("/", headers={header: "203.0.113.9"}).status_code == 400
        assert client.get("/v1/products/sku 1").status_code == 200
    with serve(api_keys="off") as client:
        assert client.get("/v1/products/sku 1", headers={header: "203.0.113.9"}).status_code == 200


# --- limits


def statuses(client: httpx.Client, count: int, **headers: str) -> list[int]:
    return [client.get("/products/sku 1", headers=headers).status_code for _ in range(count)]


def test_a_client_address_over_the_limit_gets_429_with_retry_after(serve: Serve) -> None:
    with serve(rate_per_address=5) as client:
        assert statuses(client, 7) == [200] * 5 + [429] * 2
        answer = client.get("/products/sku 1")
        # The request fits when the limiter's window of 60 s has ended. The bound has a reserve of 12 s.
        assert 1 <= int(answer.headers["retry-after"]) <= 72
        assert client.get("/health").status_code == 200


def test_a_forged_x_forwarded_for_header_does_not_escape_the_limit(serve: Serve) -> None:
    with serve(rate_per_address=5) as client:
        done = [statuses(client, 1, **{"X-Forwarded-For": f"203.0.113.{n}"})[0] for n in range(8)]
        assert done == [200] * 5 + [429] * 3


def test_behind_a_trusted_proxy_the_limit_counts_the_address_that_the_proxy_added(serve: Serve) -> None:
    with serve(rate_per_address=5, trusted_proxies=[ip_network("127.0.0.0/8")]) as client:
        done = [statuses(client, 1, **{"X-Forwarded-For": f"198.51.100.{n}, 203.0.113.9"})[0] for n in range(7)]
        assert done == [200] * 5 + [429] * 2
        assert statuses(client, 1, **{"X-Forwarded-For": "203.0.113.10"}) == [200]


def test_requests_with_invalid_keys_are_limited_by_address(serve: Serve) -> None:
    with serve(rate_per_address=3, api_keys="on") as client:
        done = [client.get("/products/sku 1", headers=bearer(f"{PREFIX}{n}")).status_code for n in range(5)]
        assert done == [401] * 3 + [429] * 2


def test_each_key_has_its_own_limit(serve: Serve, own_database: Database) -> None:
    one, other = token(own_database, "search", name="one"), token(own_database, "search", name="other")
    with serve(own_database, api_keys="on", rate_per_key=4, rate_per_address=100) as client:
        assert statuses(client, 6, **bearer(one)) == [200] * 4 + [429] * 2
        assert statuses(client, 1, **bearer(other)) == [200]


def test_browsers_may_call_the_api_from_pages_of_configured_origins(serve: Serve) -> None:
    with serve(cors_origins=["https://shop.example"]) as client:
        asked = {"Access-Control-Request-Method": "POST"}
        mine = client.options("/search/text", headers={"Origin": "https://shop.example", **asked})
        other = client.options("/search/text", headers={"Origin": "https://evil.example", **asked})
    assert mine.headers["access-control-allow-origin"] == "https://shop.example"
    assert "access-control-allow-origin" not in other.headers


def test_a_request_without_a_host_header_gets_200_or_400(client: httpx.Client) -> None:
    with socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=5) as raw:
        raw.sendall(b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert raw.makefile("rb").readline().split()[1] in (b"200", b"400")
