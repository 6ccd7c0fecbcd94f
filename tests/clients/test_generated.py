"""A generated Python client and a TypeScript program with generated types work with the live service. They search by
text and image, put, patch and delete products, count facets, record events and read errors."""

import base64
import os
import subprocess
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from PIL import Image as Drawing

from tests.clients.test_document import ENVIRONMENT, TOOLS, run
from tests.support.shop import Shop
from tests.support.web_service import SETTINGS, answering, served

pytestmark = pytest.mark.clients

PYTHON = os.environ.get("WINDOWSHOP_CLIENT_PYTHON")  # a Python that has openapi-python-client
PYTHON_PROGRAM = """

import sys

from windowshop_api import Client
from windowshop_api.api.events import record_events
from windowshop_api.api.products import delete_products, patch_product, put_products, read_product
from windowshop_api.api.search import count_facets, multi_search, search_products
from windowshop_api.models import (
    Deletion, EventIn, EventInKind, EventsIn, Facets, FacetsAsked, Found, ManyAnswers, MultiSearch, Outcome, Outcomes,
    Problem, ProductIn, ProductOut, ProductPatch, ProductSearch, ProductsIn, ProductSearchFieldsType0Item as Field,
    ProductSearchFilterType0, Recorded, Deleted,
)

client = Client(base_url=sys.argv[1])
put = put_products.sync(
    client=client, idempotency_key="python-1",
    body=ProductsIn(products=[ProductIn(sku="P-1", title="A red coat", price=20, currency="EUR", color="red")]),
)
assert isinstance(put, Outcomes) and put.products[0].status == "inserted", put
patched = patch_product.sync("P-1", client=client, body=ProductPatch(price=12.5, color=None))
assert isinstance(patched, Outcome) and patched.status == "updated", patched
product = read_product.sync("P-1", client=client)
assert isinstance(product, ProductOut) and (product.price, product.color) == (12.5, None), product
red = ProductSearchFilterType0.from_dict({"color": "red"})
found = search_products.sync(client=client, body=ProductSearch(
    query="bag", top_k=3, filter_=red, facets=["brand"], fields=[Field("title"), Field("price"), Field("similarity")]))
assert isinstance(found, Found) and len(found.results) == 3 and found.facets[0].field == "brand", found
assert found.results[0].title and 0 <= found.results[0].similarity <= 1, found
image = search_products.sync(client=client, body=ProductSearch(image=sys.argv[2], top_k=2))
assert isinstance(image, Found) and len(image.results) == 2, image
listed = search_products.sync(client=client, body=ProductSearch(top_k=2))
assert isinstance(listed, Found) and listed.total == 6 and listed.next_, listed
many = multi_search.sync(client=client, body=MultiSearch(
    searches=[ProductSearch(query="bag"), ProductSearch(page="x")]))
assert isinstance(many, ManyAnswers) and many.answers[0].found and many.answers[1].problem.status == 422, many
facets = count_facets.sync(client=client, body=FacetsAsked(fields=["color"]))
assert isinstance(facets, Facets) and {value.value for value in facets.facets[0].values} >= {"red"}, facets
event = EventIn(kind=EventInKind.CLICK, search_id=found.search_id, sku=found.results[0].sku, rank=1, position=1)
recorded = record_events.sync(client=client, body=EventsIn(events=[event]))
assert isinstance(recorded, Recorded) and recorded.recorded == 1, recorded
missing = patch_product.sync("nobody", client=client, body=ProductPatch(price=1))
assert isinstance(missing, Problem) and missing.type_ == "urn:windowshop:problem:not-found", missing
wrong = search_products.sync(client=client, body=ProductSearch(query="bag", page="nonsense"))
assert isinstance(wrong, Problem) and wrong.status == 422, wrong
deleted = delete_products.sync(client=client, body=Deletion(skus=["P-1", "nobody"]))
assert isinstance(deleted, Deleted) and (deleted.deleted, deleted.not_found) == (1, ["nobody"]), deleted
"""
TYPESCRIPT_PROGRAM = """
import createClient from "openapi-fetch";
import type { paths } from "./api.js";

declare const process: { argv: string[] };
function check(condition: unknown, shown: unknown): asserts condition {
  if (!condition) throw new Error(JSON.stringify(shown));
}
const client = createClient<paths>({ baseUrl: process.argv[2] ?? "" });
const put = await client.PUT("/v1/products", {
  params: { header: { "Idempotency-Key": "typescript-1" } },
  body: { products: [{ sku: "T-1", title: "A red coat", price: 20, currency: "EUR", color: "red" }] },
});
check(put.data?.products[0]?.status === "inserted", put);
const one = { path: { sku: "T-1" } };
const patched = await client.PATCH("/v1/products/{sku}", { params: one, body: { price: 12.5, color: null } });
check(patched.data?.status === "updated", patched);
const product = await client.GET("/v1/products/{sku}", { params: one });
check(product.data?.price === 12.5 && product.data.color === null, product);
const found = await client.POST("/v1/search", {
  body: { query: "bag", top_k: 3, filter: { color: "red" }, facets: ["brand"], fields: ["title", "similarity"] },
});
const first = found.data?.results[0];
check(first?.title && first.similarity !== null && found.data?.facets?.[0]?.field === "brand", found);
const image = await client.POST("/v1/search", { body: { image: process.argv[3] ?? "", top_k: 2 } });
check(image.data?.results.length === 2, image);
const facets = await client.POST("/v1/facets", { body: { fields: ["color"] } });
check(facets.data?.facets[0]?.values.some((one) => one.value === "red"), facets);
const recorded = await client.POST("/v1/events", {
  body: { events: [{ kind: "click", search_id: found.data.search_id, sku: first.sku, rank: first.rank }] },
});
check(recorded.data?.recorded === 1, recorded);
const missing = await client.PATCH("/v1/products/{sku}", { params: { path: { sku: "nobody" } }, body: { price: 1 } });
check(missing.error?.type === "urn:windowshop:problem:not-found", missing);
const wrong = await client.POST("/v1/search", { body: { query: "bag", page: "nonsense" } });
check(wrong.error?.status === 422, wrong);
const deleted = await client.POST("/v1/delete-products", { body: { skus: ["T-1"] } });
check(deleted.data?.deleted === 1, deleted);
"""


@pytest.fixture
def service(shop: Shop) -> Iterator[httpx.Client]:
    """Yields a client of a service with five red bags."""
    shop.add(*(f"bag {n}" for n in range(5)))
    shop.run("update shop.product set color = 'red', brand = 'Nord'")
    shop.encode_all()
    with answering(shop.database), served(shop.database, SETTINGS) as client:
        yield client


@pytest.fixture(scope="module")
def image() -> str:
    content = BytesIO()
    Drawing.new("RGB", (40, 40), "red").save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode()


def save_document(service: httpx.Client, folder: Path) -> None:
    (folder / "openapi.json").write_bytes(service.get("/openapi/openapi.json").raise_for_status().content)


def execute(*command: str, folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_generated_python_client_works(service: httpx.Client, image: str, tmp_path: Path) -> None:
    if PYTHON is None:
        pytest.skip("openapi-python-client is not installed; make clients installs it")
    python = str(Path(PYTHON).absolute())
    save_document(service, tmp_path)
    command = ("-m", "openapi_python_client", "generate", "--path", "openapi.json", "--meta", "none")
    execute(python, *command, "--output-path", "windowshop_api", folder=tmp_path)
    (tmp_path / "program.py").write_text(PYTHON_PROGRAM)
    execute(python, "program.py", str(service.base_url).rstrip("/"), image, folder=tmp_path)


def test_a_program_with_the_generated_typescript_types_works(service: httpx.Client, image: str, tmp_path: Path) -> None:
    save_document(service, tmp_path)
    run("openapi-typescript", "openapi.json", "--output", "api.d.ts", folder=tmp_path)
    assert TOOLS is not None
    (tmp_path / "node_modules").symlink_to(Path(TOOLS).resolve().parent)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "program.ts").write_text(TYPESCRIPT_PROGRAM)
    run("tsc", "--strict", "--noUncheckedIndexedAccess", "--target", "es2022", "--module", "nodenext", "program.ts",
        folder=tmp_path)  # fmt: skip
    execute("node", "program.js", str(service.base_url).rstrip("/"), image, folder=tmp_path)
