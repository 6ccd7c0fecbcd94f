"""Lists requests that try to break a route with invalid or unusual input."""

import gzip

from tests.security.http_access_attempts import (
    FACETS,
    GENERAL,
    IMAGE,
    JSON,
    PRODUCTS,
    TEXT,
    Attempt,
    deep,
    post,
    search,
)

SQL = "main'; drop table shop.product; --"
PNG = b"\x89PNG\r\n\x1a\n"

_FIELDS = b'{"filter": {%s, "99999": 1}}' % b", ".join(b'"%d": 1' % number for number in range(100_000))

OPTIONS = [
    search(*row, path)
    for path in (TEXT, GENERAL)
    for row in (
        ("top_k 0", {"top_k": 0}, 422),
        ("top_k below 0", {"top_k": -1}, 422),
        ("top_k of a billion", {"top_k": 10**9}, 422),
        ("top_k above 64 bits", {"top_k": 2**63}, 422),
        ("top_k as a text", {"top_k": "5"}, 422),
        ("top_k with a fraction", {"top_k": 1.5}, 422),
        ("an unknown field", {"topk": 5}, 422),
        ("a filter that is a list", {"filter": []}, 422),
        ("a filter on an unknown field", {"filter": {"prise": 1}}, 422),
        ("a filter with SQL as its key", {"filter": {"price) or (1=1": 1}}, 422),
        ("a filter with SQL in a path", {"filter": {"attributes.x'; drop table shop.product; --": 1}}, 422),
        ("a filter with SQL as an operator", {"filter": {"price": {"lt) or (1=1": 1}}}, 422),
        ("a filter of another type", {"filter": {"price": "80"}}, 422),
        ("10,001 items in a list", {"filter": {"sku": {"in": ["x"] * 10_001}}}, 422),
        ("1,001 conditions", {"filter": {"or": [{"price": n} for n in range(1001)]}}, 422),
        ("a NUL in a filter", {"filter": {"sku": "\0"}}, 422),
        ("a filter 100 deep", {"filter": deep(100)}, 422),
        ("a weight below 0", {"weights": {"image": -1}}, 422),
        ("a weight above 1,000", {"weights": {"image": 1e308}}, 422),
        ("all weights 0", {"weights": {"image": 0, "title": 0, "keyword": 0}}, 422),
        ("an unknown leg", {"weights": {"sound": 1}}, 422),
        ("an invalid page", {"page": "1"}, 422),
        ("the page of another search", {"page": f"{'0' * 32}.1-1.10.10"}, 422),
        ("SQL as a page", {"page": SQL}, 422),
        ("a page of 10,000 characters", {"page": "0" * 10_000}, 422),
        ("an unknown catalog", {"catalog": "nowhere"}, 404),
        ("a catalog with SQL", {"catalog": SQL}, 404),
        ("a path as the catalog", {"catalog": "../other"}, 404),
        ("a NUL in the catalog", {"catalog": "\0"}, 422),
    )
]
BODIES = [
    post(path, *row)
    for path in (TEXT, IMAGE, GENERAL, FACETS)
    for row in (
        ("nothing", b"", 400),
        ("not JSON", b"{", 400),
        ("a list", b"[]", 422),
        ("null", b"null", 422),
        ("bytes that are not UTF-8", b'{"catalog": "\xff\xfe"}', 400),
        ("UTF-16", '{"catalog": "main"}'.encode("utf-16"), 400),
        ("NaN", b'{"filter": {"price": NaN}}', 400),
        ("Infinity", b'{"catalog": -Infinity}', 400),
        ("a number out of range", b'{"filter": {"price": 1e999}}', 422),
        ("JSON 5,000 deep", b'{"filter":' * 5000 + b"1" + b"}" * 5000, 400),
        ("a lone surrogate", b'{"catalog": "\\ud800"}', 400),
        ("a control character", b'{"catalog": "a\x01b"}', 400),
        ("a comment", b'{"catalog": "main" /* x */}', 400),
        ("a trailing comma", b'{"catalog": "main",}', 400),
        ("a field given twice", b'{"catalog": "main", "catalog": "other"}', 422),
        ("a field of the filter given twice", b'{"filter": {"price": {"lt": 1}, "price": {"lt": 2}}}', 422),
        ("100,000 fields, the last one given twice", _FIELDS, 422),
        ("17 MB", b" " * 17_000_000, 413),
    )
]
QUERIES = [
    *(search(name, {"query": query}, status, path) for path in (TEXT, GENERAL) for name, query, status in (
        ("an empty text", "", 422),
        ("white space", " \t\n", 422),
        ("10,001 characters", "x" * 10_001, 422),
        ("a NUL", "a\0b", 422),
        ("a number", 5, 422),
        ("a character", "x", 200),
        ("10,000 characters", "x" * 10_000, 200),
        ("joined emoji", "👩‍👩‍👧‍👦 👜", 200),
        ("right to left", "حقيبة جلد سوداء", 200),
        ("an override of the direction", "\u202egab", 200),
        ("zero width", "bag\u200b", 200),
        ("SQL", SQL, 200),
        ("operators of full text search", "bag & !bag | (bag <-> :*)", 200),
        ("patterns", "%_\\%* .*(", 200),
        ("a script", "<script>alert(1)</script>", 200),
    )),
    *(post(GENERAL, name, {"inputs": inputs}, status) for name, inputs, status in (
        ("no inputs", [], 422),
        ("21 inputs", [{"text": "bag"}] * 21, 422),
        ("an empty input", [{}], 422),
        ("an input with a text and a SKU", [{"text": "bag", "sku": "sku 1"}], 422),
        ("an unknown product", [{"sku": "nothing"}], 404),
        ("a product of another catalog", [{"sku": "x"}], 404),
        ("all weights below 0", [{"text": "bag", "weight": -1}], 422),
        ("a weight of 0", [{"text": "bag", "weight": 0}], 422),
        ("inputs that cancel out", [{"text": "bag"}, {"text": "bag", "weight": -1}], 422),
        ("no base64", [{"image": "%%%"}], 422),
        ("an image over 10 MB", [{"image": "A" * 14_000_001}], 422),
        ("a vector without its model", [{"vector": [1] * 24}], 422),
        ("a vector of another model", [{"vector": [1] * 24, "model": SQL}], 422),
        ("a vector of another dimension", [{"vector": [1] * 23, "model": "toy"}], 422),
        ("a vector of 17,000 numbers", [{"vector": [1] * 17_000, "model": "toy"}], 422),
        ("a zero vector", [{"vector": [0] * 24, "model": "toy"}], 422),
        ("a vector of texts", [{"vector": ["1"] * 24, "model": "toy"}], 422),
        ("a vector outside half precision", [{"vector": [1e300] * 24, "model": "toy"}], 422),
    )),
    *(post(FACETS, name, body, status) for name, body, status in (
        ("no fields", {"fields": []}, 422),
        ("an unknown field", {"fields": ["title"]}, 422),
        ("a field of another table", {"fields": ["brand from shop.model"]}, 422),
        ("21 fields", {"fields": [f"attributes.{n}" for n in range(21)]}, 422),
        ("SQL as a field", {"fields": ["attributes.x' or 1=1 --"]}, 422),
        ("a NUL", {"fields": ["attributes.\0"]}, 422),
        ("no buckets", {"buckets": 0}, 422),
        ("a billion buckets", {"buckets": 10**9}, 422),
        ("a billion values", {"limit_values": 10**9}, 422),
        ("an unknown catalog", {"catalog": "nowhere"}, 404),
        ("two documents", b'{"catalog": "main"}{"catalog": "other"}', 400),
    )),
]  # fmt: skip
FORMS = [
    *(Attempt(f"a form with {name}", "POST", IMAGE, status, "search", {"files": files, "data": data})
      for name, files, data, status in (
        ("an empty image", {"image": b""}, {}, 422),
        ("an image over 10 MB", {"image": b"x" * (10 * 2**20 + 1)}, {}, 422),
        ("a body over 16 MB", {"image": b"x" * 17_000_000}, {}, 413),
        ("a part of another name", {"picture": b"x"}, {}, 422),
        ("two images", [("image", b"x"), ("image", b"y")], {}, 422),
        ("1,001 parts", [(f"p{n}", b"x") for n in range(1001)], {}, 400),
        ("top_k in words", {"image": b"x"}, {"top_k": "many"}, 422),
        ("a filter that is not JSON", {"image": b"x"}, {"filter": "{"}, 422),
        ("a filter that is a list", {"image": b"x"}, {"filter": "[]"}, 422),
        ("a path as the name of the file", {"image": ("../../etc/passwd", b"")}, {}, 422),
    )),
    *(Attempt(f"a form of type {kind!r}", "POST", IMAGE, status, "search",
              {"content": content, "headers": {"Content-Type": kind}}) for kind, content, status in (
        ("text/plain", b"bag", 415),
        ("multipart/form-data", b"x", 422),
        ("multipart/form-data; boundary=x", b"nothing of the kind", 400),
        ("multipart/form-data; boundary=", b"x", 422),
        ("application/x-www-form-urlencoded", b"image=x", 415),
    )),
    *(Attempt(f"{path} of type {kind!r}, which pages of other sites can send", "POST", path, 415, "search",
              {"content": b'{"query": "bag"}', "headers": {"Content-Type": kind}})
      for path in (TEXT, GENERAL, FACETS, "/events")
      for kind in ("text/plain", "application/x-www-form-urlencoded", "")),
    Attempt("a compressed body", "POST", TEXT, 415, "search",
            {"content": gzip.compress(b" " * 5_000_000), "headers": {**JSON, "Content-Encoding": "gzip"}}),
    *(Attempt(f"an upload {name}", "POST", "/picture", 403, None, {"files": {"image": PNG}, "headers": headers})
      for name, headers in (
        ("from no page", {}),
        ("from a page of another site", {"Sec-Fetch-Site": "cross-site"}),
        ("from a page of a subdomain", {"Sec-Fetch-Site": "same-site"}),
        ("from a page of another origin", {"Origin": "https://evil.example"}),
        ("from a page without an origin", {"Origin": "null"}),
    )),
    *(Attempt(f"an upload of {name}", "POST", "/picture", status, None,
              {"files": {part: content}, "headers": {"HX-Request": "true"}}) for name, part, content, status in (
        ("nothing", "image", b"", 422),
        ("a text", "image", b"<svg onload=alert(1)>", 422),
        ("a damaged PNG", "image", PNG + b"\0" * 100, 422),
        ("a script", "image", b"#!/bin/sh\nid", 422),
        ("a PNG in a part of another name", "other", PNG, 422),
        ("an image over 10 MB", "image", PNG + b"\0" * (10 * 2**20), 413),
    )),
]  # fmt: skip
WRITES = [
    *(Attempt(f"PUT of {name}", "PUT", PRODUCTS, status, "write", {"json": body}) for name, body, status in (
        ("no products", {"products": []}, 422),
        ("1,001 products", {"products": [{"sku": str(n), "title": "x"} for n in range(1001)]}, 422),
        ("a catalog with SQL", {"catalog": SQL, "products": [{"sku": "y", "title": "y"}]}, 422),
        ("a catalog of 64 characters", {"catalog": "a" * 64, "products": [{"sku": "y", "title": "y"}]}, 422),
        ("an unknown field", {"products": [{"sku": "y", "title": "y", "product_id": "x"}]}, 422),
    )),
    Attempt("DELETE of a missing product", "DELETE", "/products/nothing", 404, "write"),
    Attempt("DELETE with SQL", "DELETE", f"/products/{SQL}", 404, "write"),
    post("/events", "events of an unknown kind", {"events": [{"kind": "x"}]}, 422),
    post("/events", "10,001 events", {"events": [{"kind": "search"}] * 10_001}, 422),
    post("/events", "a NUL in an event", {"events": [{"kind": "search", "query": "\0"}]}, 422),
]  # fmt: skip
PATHS = [
    *(Attempt(f"GET {path}", "GET", path, status) for path, status in (
        ("/products/nothing/similar", 404),
        ("/products/sku 1/similar?top_k=0", 422),
        ("/products/sku 1/similar?top_k=x", 422),
        ("/products/sku 1/similar?top_k=1&top_k=x", 422),
        ("/products/sku 1/similar?filter={", 422),
        ("/products/sku 1/similar?filter=[]", 422),
        ("/products/sku 1/similar?page=x", 422),
        ("/products/%00/similar", 422),
        (f"/products/{'x' * 201}/similar", 422),
        ("/products/..%2f..%2fetc/similar", 404),
        ("/images/../../etc/passwd", 404),
        ("/images/..%2f..%2fetc%2fpasswd", 404),
        ("/images/00000000-0000-0000-0000-000000000000", 404),
        ("/images/x", 404),
        ("/images/{secret}?position=100", 422),
        ("/images/{secret}?position=-1", 422),
        ("/images/{secret}?size=1000000", 422),
        ("/picture/..%2f..%2fetc%2fpasswd", 404),
        ("/picture/x", 404),
        ("/static/../app.py", 404),
        ("/static/..%2f..%2fapp.py", 404),
        ("/static/%2e%2e/%2e%2e/app.py", 404),
        ("/static/....//app.py", 404),
        ("/.git/config", 404),
        ("/.env", 404),
        ("/metrics", 404),
        ("/admin", 404),
        ("/nowhere", 404),
        ("/search/text", 405),
    )),
    *(Attempt(f"{method} {path}", method, path, status) for method, path, status in (
        ("PATCH", "/products/sku 1", 405),
        ("PUT", TEXT, 405),
        ("DELETE", PRODUCTS, 405),
        ("POST", "/images/{secret}", 405),
        ("TRACE", "/products/sku 1", 405),
        ("BREW", TEXT, 501),
    )),
]  # fmt: skip
