"""Lists requests that try to read or change what the caller may not read or change, with and without a key.

The words in braces, such as {secret} and {admin}, stand for ids and keys of the test's service.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TEXT, IMAGE, GENERAL, FACETS, PRODUCTS = "/search/text", "/search/image", "/search", "/facets", "/products"
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Attempt:
    name: str
    method: str
    path: str
    status: int
    key: str | None = "admin"
    more: Mapping[str, Any] = field(default_factory=dict)  # arguments of httpx.Client.request


def post(path: str, name: str, body: Any, status: int, key: str | None = "admin") -> Attempt:
    """Returns an attempt with a body. A body of bytes is sent unchanged, and any other body as JSON."""
    more = {"content": body, "headers": JSON} if isinstance(body, bytes) else {"json": body}
    return Attempt(f"{path}: {name}", "POST", path, status, key, more)


def search(name: str, wrong: Any, status: int = 422, path: str = TEXT) -> Attempt:
    return post(path, name, {"query": "bag", **wrong}, status)


def bearer(value: str) -> dict[str, Any]:
    return {"headers": {"Authorization": value}, "json": {"query": "bag"}}


def deep(levels: int) -> dict[str, Any]:
    filter_: dict[str, Any] = json.loads('{"not":' * levels + "{}" + "}" * levels)
    return filter_


KEYS = [
    *(Attempt(f"{scheme[:20]!r} as a key", "POST", TEXT, 401, None, bearer(scheme)) for scheme in (
        "", "Bearer", "Bearer ws_", "Bearer " + "x" * 5000, "Basic YTpi", "bearer ws_" + "x" * 43,
        "Bearer ws_' or true --", "Bearer ws_%00", "Bearer null", "Token x",
    )),
    *(Attempt(f"{method} {path} without a key", method, path, 401, None, {"json": {}}) for method, path in (
        ("POST", TEXT), ("POST", IMAGE), ("POST", GENERAL), ("POST", FACETS), ("PUT", PRODUCTS), ("POST", "/events"),
        ("GET", "/products/sku 1"), ("DELETE", "/products/sku 1"), ("GET", "/products/sku 1/similar"),
    )),
    *(Attempt(f"a key in {place}", "POST", TEXT + query, 401, None, {"json": {"query": "bag"}, **more})
      for place, query, more in (
        ("the address", "?key={admin}&api_key={admin}&access_token={admin}", {}),
        ("a cookie", "", {"cookies": {"Authorization": "Bearer {admin}", "session": "{admin}"}}),
        ("X-Api-Key", "", {"headers": {"X-Api-Key": "{admin}"}}),
        ("X-Authorization", "", {"headers": {"X-Authorization": "Bearer {admin}"}}),
    )),
    post(TEXT, "an expired key", {"query": "bag"}, 401, "expired"),
    post(TEXT, "a revoked key", {"query": "bag"}, 401, "revoked"),
    *(Attempt(f"{method} {path} with a key of scope search", method, path, 403, "search", {"json": body})
      for method, path, body in (
        ("PUT", PRODUCTS, {"products": [{"sku": "y", "title": "y"}]}), ("DELETE", "/products/sku 1", None),
    )),
    Attempt("X-HTTP-Method-Override", "POST", "/products/sku 1", 405, "search",
            {"headers": {"X-HTTP-Method-Override": "DELETE"}}),
    Attempt("_method in the address", "GET", "/products/sku 1?_method=DELETE", 422, "search"),
]  # fmt: skip
_FROM_PAGE = {"Sec-Fetch-Site": "same-origin"}
_RULE = {"name": "x", "when": "always", "then": "banner", "then_value": "x", "live": "1"}
# The page for staff answers with HTML. It accepts a form only from the page itself, whatever key the request has.
STAFF = [
    *(Attempt(f"GET {path} with {key or 'no key'}", "GET", path, status, key)
      for path in ("/staff", "/staff/synonyms", "/staff/rules", "/staff/quarantine", "/staff/models")
      for key, status in ((None, 401), ("search", 403), ("bags", 403), ("expired", 401), ("revoked", 401))),
    *(Attempt(f"POST {path} {name}", "POST", path, status, key, {"data": _RULE, "headers": headers})
      for path in ("/staff/synonyms", "/staff/synonyms/delete", "/staff/rules", "/staff/rules/delete",
                   "/staff/rules/live", "/staff/preview/rules", "/staff/quarantine/retry")
      for name, key, status, headers in (
        ("without a key", None, 401, _FROM_PAGE), ("with a key of scope search", "search", 403, _FROM_PAGE),
        ("from a page of another site", "admin", 403, {"Sec-Fetch-Site": "cross-site"}),
        ("from no page", "admin", 403, {}),
      )),
    *(Attempt(f"GET {path} of a catalog that the key does not allow", "GET", path + "?catalog=other", 403, "main")
      for path in ("/staff", "/staff/synonyms", "/staff/rules", "/staff/quarantine", "/staff/models")),
    Attempt("a key as the cookie of a session", "GET", "/staff", 401, None,
            {"cookies": {"windowshop_staff": "{admin}"}}),
    Attempt("a sign-in with a lesser key", "POST", "/staff/sign-in", 403, None,
            {"data": {"key": "{search}"}, "headers": _FROM_PAGE}),
    Attempt("a sign-in from another page", "POST", "/staff/sign-in", 403, None, {"data": {"key": "{admin}"}}),
]  # fmt: skip
CATALOGS = [
    *(Attempt(f"{method} {path} in a catalog that the key does not allow", method, path, 403, "main", {"json": body})
      for method, path, body in (
        ("POST", TEXT, {"query": "bag", "catalog": "other"}),
        ("POST", GENERAL, {"inputs": [{"sku": "x"}], "catalog": "other"}),
        ("POST", FACETS, {"catalog": "other"}),
        ("POST", "/events", {"events": [{"kind": "search"}, {"kind": "search", "catalog": "other"}]}),
        ("GET", "/products/x?catalog=other", None),
        ("GET", "/products/x/similar?catalog=other", None),
        ("GET", "/products/x?catalog=nowhere", None),
        ("GET", "/products/x?catalog=OTHER", None),
        ("DELETE", "/products/x?catalog=other", None),
        ("PUT", PRODUCTS, {"catalog": "other", "products": [{"sku": "y", "title": "y"}]}),
    )),
    *(Attempt(f"GET {path}, which is an invalid request", "GET", path, 422, "main") for path in (
        "/products/x?catalog=main&catalog=other", "/products/x?catalog=other&catalog=main",
        "/products/x?catalog=other%00",
    )),
    Attempt("an image of another catalog", "GET", "/images/{secret}", 404, "main"),
    Attempt("an image of another catalog without a key", "GET", "/images/{secret}", 404, None),
    Attempt("a thumbnail of another catalog", "GET", "/images/{secret}?size=64", 404, "main"),
    post(TEXT, "explain with a key of one catalog", {"query": "bag", "explain": True}, 403, "main"),
    *(Attempt(f"GET {path} of the page, whose catalogs are not public", "GET", path, 404, None) for path in (
        "/?catalog=main", "/?catalog=other", "/?catalog=nowhere", "/?catalog=other&q=bag", "/?like=x&catalog=other",
        "/?catalog=shown&catalog=other",
    )),
    Attempt("the page with two catalogs, the last one public", "GET", "/?catalog=other&catalog=shown", 200, None),
    Attempt("the page with a product of another catalog", "GET", "/?like=x&q=hidden", 404, None),
]  # fmt: skip
FILTERS = [
    *(Attempt(f"{method} {path} of a product that does not meet the key's filter", method, path, 404, "bags",
              {"json": body}) for method, path, body in (
        ("GET", "/products/sku 1", None), ("GET", "/products/sku 1/similar", None),
        ("POST", GENERAL, {"inputs": [{"text": "bag"}, {"sku": "sku 1"}]}),
        ("POST", FACETS, {"inputs": [{"sku": "sku 1"}], "cut": "relevant"}),
        ("GET", "/images/{shoe}", None),
    )),
    *(post(path, f"the filter {filter_} beside the key's filter", {"filter": filter_, **body}, 200, "bags")
      for path, body in ((TEXT, {"query": "running shoes", "top_k": 100}), (FACETS, {}))
      for filter_ in (None, {}, {"product_type": "shoes"}, {"or": [{}, {"product_type": "shoes"}]}, {"and": []},
                      {"not": {"product_type": "bags"}})),
    post(TEXT, "an `and` that is no list", {"query": "bag", "filter": {"and": {}}}, 422, "bags"),
    post(TEXT, "explain with a filtered key", {"query": "bag", "explain": True}, 403, "bags"),
    Attempt("a product with the write scope of a filtered key", "PUT", PRODUCTS, 403, "bags",
            {"json": {"products": [{"sku": "y", "title": "y"}]}}),
    *(post(path, f"the hidden attribute in {filter_}", {"query": "bag", "filter": filter_}, 422)
      for path in (TEXT, FACETS)
      for filter_ in ({"attributes.strap_cm": 3}, {"attributes.strap_cm.x": {"gt": 1}},
                      {"or": [{"brand": "x"}, {"not": {"attributes.strap_cm": {"exists": True}}}]},
                      {r"attributes.strap_cm\.x": 1})),
    post(FACETS, "facets of a hidden attribute", {"fields": ["attributes.strap_cm"]}, 422),
    Attempt("a hidden attribute in the address", "GET", '/products/sku 1/similar?filter={"attributes.strap_cm": 1}',
            422),
]  # fmt: skip
