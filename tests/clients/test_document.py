"""The validators and generators that integrators use accept the OpenAPI document. The document has the expected
operation ids, bounds and closed objects. A closed object refuses unknown members."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from tests.support.databases import Databases
from tests.support.web_service import SETTINGS, served

pytestmark = pytest.mark.clients

TOOLS = os.environ.get("WINDOWSHOP_CLIENT_TOOLS")  # read at import, before tests/conftest.py removes the variable
ENVIRONMENT = {"PATH": os.environ["PATH"], "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
# TypeScript compiles this program only if the generated types have these operations, bodies and results.
PROGRAM = """
import type { components, operations } from "./api";
type Body<Name extends keyof operations> = operations[Name] extends { requestBody: { content: infer Content } }
  ? Content[keyof Content] : never;
const search: Body<"searchText"> = { query: "bag", top_k: 5, filter: { color: "red" }, weights: { keyword: 0 } };
const product: components["schemas"]["ProductIn"] = { sku: "A", title: "Bag", price: 79.9, images: ["a.jpg"] };
const event: components["schemas"]["EventIn"] = { kind: "click", sku: "A-17", rank: 1 };
const put: Body<"putProducts"> = { products: [product], create: true };
const record: Body<"recordEvents"> = { events: [event] };
export function titles(found: components["schemas"]["Results"]): string[] {
  return found.results.map((one) => `${one.rank} ${one.title} ${one.price ?? ""} ${one.picture?.url ?? ""}`);
}
export { search, put, record };
// @ts-expect-error: an event has one of six kinds
const wrong: components["schemas"]["EventIn"] = { kind: "look" };
export { wrong };
"""


@pytest.fixture(scope="module")
def document(databases: Databases, template: str) -> Iterator[dict[str, Any]]:
    with served(databases.copy(template), SETTINGS) as client:
        yield client.get("/openapi/openapi.json").raise_for_status().json()


@pytest.fixture
def file(document: dict[str, Any], tmp_path: Path) -> Path:
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(document))
    return path


def run(tool: str, *arguments: str, folder: Path) -> str:
    path = TOOLS and shutil.which(tool, path=str(Path(TOOLS).resolve()))
    if path is None:
        pytest.skip(f"{tool} is not installed; make clients installs it")
    done = subprocess.run([path, *arguments], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_openapi_spec_validator_accepts_the_document(document: dict[str, Any]) -> None:
    validate(document)


def test_spectral_reports_nothing(file: Path) -> None:
    (file.parent / "rules.yaml").write_text('extends: ["spectral:oas"]\n')
    run("spectral", "lint", "--ruleset", "rules.yaml", "--fail-severity", "hint", file.name, folder=file.parent)


def test_redocly_reports_no_error_and_no_warning(file: Path) -> None:
    # /health and /ready refuse no request, so the document gives them no response with a status 4xx.
    said = run("redocly", "lint", "--extends", "recommended", "--skip-rule", "operation-4xx-response", file.name,
               folder=file.parent)  # fmt: skip
    assert "warning" not in said.lower().replace("deprecation warning", ""), said


def test_typescript_compiles_a_program_with_the_generated_types(file: Path) -> None:
    run("openapi-typescript", file.name, "--output", "api.ts", folder=file.parent)
    (file.parent / "program.ts").write_text(PROGRAM)
    run("tsc", "--strict", "--noEmit", "--target", "es2022", "--module", "esnext", "--skipLibCheck", "program.ts",
        folder=file.parent)  # fmt: skip


def test_the_operation_ids_are_exactly_the_listed_names(document: dict[str, Any]) -> None:
    ids = {operation["operationId"] for item in document["paths"].values() for operation in item.values()}
    assert ids == {
        "searchText", "searchImage", "searchImageFile", "search", "similarProducts", "countFacets", "readProduct",
        "putProducts", "deleteProduct", "recordEvents", "readImage", "health", "ready", "searchProducts", "multiSearch",
        "patchProduct", "deleteProducts", "readEncoding", "exportProducts", "suggest", "listCatalogs", "deleteCatalog",
        "createWatch", "listWatches", "deleteWatch", "listMatches", "listSynonyms", "addSynonym", "deleteSynonym",
        "listRules", "createRule", "readRule", "replaceRule", "deleteRule", "listSignals", "whatIf",
    }  # fmt: skip


def test_zero_bounds_null_examples_field_types_and_closed_objects_are_in_the_document(
    document: dict[str, Any],
) -> None:
    schemas = document["components"]["schemas"]
    weight = schemas["Weights"]["properties"]["image"]["anyOf"][0]
    assert (weight["minimum"], weight["maximum"]) == (0, 1000)
    assert schemas["Results"]["examples"][0]["next"] is None
    closed = (
        "TextSearch",
        "ImageSearch",
        "GeneralSearch",
        "FacetsAsked",
        "ProductsIn",
        "ProductIn",
        "EventsIn",
        "EventIn",
        "ProductSearch",
        "ProductPatch",
        "Deletion",
    )
    assert all(schemas[name]["additionalProperties"] is False for name in closed)
    untyped = [
        name for name, field in schemas["ProductIn"]["properties"].items() if not field.keys() & {"type", "$ref"}
    ]
    assert untyped == []
