"""Builds the OpenAPI document.

Litestar describes the routes. msgspec describes the bodies, because Litestar omits `additionalProperties`, bounds of 0
and nulls in examples. The example of a body is in its schema.
"""

from functools import lru_cache
from typing import Any

import msgspec
from litestar import Litestar, Request
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, Contact, License, SecurityScheme, Tag
from litestar.params import ParameterKwarg

from web.api import examples
from web.api.events import EventIn, EventsIn, Recorded
from web.api.facet_schemas import Facets, FacetsAsked
from web.api.health import Health, Ready
from web.api.product_in import ProductIn, ProductPatch, ProductsIn
from web.api.products import Outcome, Outcomes, ProductOut
from web.api.schemas import GeneralSearch, ImageForm, ImageSearch, Results, TextSearch
from web.api.v1.catalogs import Catalogs, DeletedCatalog
from web.api.v1.products import Deleted, Deletion, EncodingState
from web.api.v1.rules import RuleIn, RuleOut, Rules, Signals
from web.api.v1.schemas import Found, ManyAnswers, MultiSearch, ProductSearch
from web.api.v1.suggest import Suggestions
from web.api.v1.synonyms import SynonymIn, SynonymOut, Synonyms
from web.api.v1.watches import Matches, Watches, WatchIn, WatchOut
from web.api.v1.what_if import WhatIfIn, WhatIfOut
from web.http.addresses import address
from web.http.bodies import MERGE_PATCH
from web.http.idempotency import HEADER, IDEMPOTENT
from web.http.problems import Problem

API_VERSION = "1"
_SYNONYM = {"synonym_id": 1, "terms": ["sneakers", "trainers"], "from_term": None, "catalog": None, "language": None}
_EXAMPLES = {
    ProductSearch: examples.PRODUCT_SEARCH,
    Found: examples.FOUND,
    MultiSearch: {"searches": [examples.PRODUCT_SEARCH, {"filter": {"color": "red"}}]},
    ManyAnswers: {
        "answers": [{"found": examples.FOUND, "problem": None}, {"found": None, "problem": examples.PROBLEM}]
    },
    TextSearch: examples.TEXT,
    ImageSearch: examples.IMAGE,
    GeneralSearch: examples.GENERAL,
    Results: examples.RESULTS,
    FacetsAsked: examples.FACETS_ASKED,
    Facets: examples.FACETS,
    ProductsIn: examples.PRODUCTS,
    ProductPatch: examples.PATCH,
    Outcome: examples.OUTCOMES["products"][0],
    Deletion: {"skus": ["A-17", "B-2"]},
    Deleted: {"deleted": 1, "not_found": ["B-2"], "more": False},
    EncodingState: examples.ENCODING,
    Catalogs: examples.CATALOGS,
    DeletedCatalog: {"deleted": 1000, "more": False},
    Suggestions: {
        "suggestions": [
            {"kind": "query", "text": "guitar strings", "count": 8, "sku": None, "corrected": False},
            {"kind": "type", "text": "Guitars", "count": 120, "sku": None, "corrected": False},
        ]
    },
    SynonymIn: {"terms": ["sneakers", "trainers"]},
    SynonymOut: _SYNONYM,
    Synonyms: {"synonyms": [_SYNONYM], "next": None},
    RuleIn: examples.RULE,
    RuleOut: examples.RULES["rules"][0],
    Rules: examples.RULES,
    Signals: examples.SIGNALS,
    WhatIfIn: examples.WHAT_IF,
    WhatIfOut: examples.WHAT_IF_ANSWER,
    WatchIn: examples.WATCH,
    WatchOut: examples.WATCHES["watches"][0],
    Watches: examples.WATCHES,
    Matches: examples.MATCHES,
    Outcomes: examples.OUTCOMES,
    ProductOut: examples.PRODUCT,
    EventsIn: examples.EVENTS,
    Recorded: examples.RECORDED,
    Health: examples.HEALTH,
    Ready: examples.READY,
    Problem: examples.PROBLEM,
}
_WITHOUT_EXAMPLE = (ImageForm, ProductIn, EventIn)
_TAGS = {
    "Search": "Search by texts, images and products, and count the values of fields.",
    "Products": "Read, write and delete products.",
    "Catalogs": "List and delete catalogs.",
    "Synonyms": "Terms that mean the same in searches.",
    "Ranking": "Rules and signals, by which a shop changes what searches show.",
    "Watches": "Searches that report each new product that matches them.",
    "Events": "Record what shoppers do.",
    "Images": "Images of products.",
    "Probes": "Whether the service is alive and ready.",
}


_IDEMPOTENCY_KEY: dict[str, Any] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "A text that the client chooses for this request, such as a UUID. After the request has succeeded, "
    "a repeated request with the same text gets the same answer for 24 hours.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
}


class _Document(JsonRenderPlugin):
    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        return msgspec.json.encode(document_of(request.app) | {"servers": [{"url": address("") or "/"}]})


@lru_cache(maxsize=4)
def document_of(app: Litestar) -> dict[str, Any]:
    """Returns the OpenAPI document without the address of the service."""
    return _completed(app.openapi_schema.to_schema(), app)


def openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Windowshop",
        version=API_VERSION,
        description="Product search by what things look like. Errors are RFC 9457 problems with a stable `type`. "
        "Write an integer without a decimal point: 1 and not 1.0.",
        license=License(name="Apache-2.0", identifier="Apache-2.0"),
        contact=Contact(name="The operator of this service"),
        tags=[Tag(name=name, description=text) for name, text in _TAGS.items()],
        components=Components(
            security_schemes={
                "key": SecurityScheme(
                    type="http", scheme="bearer", description="A key that `windowshop key create` printed."
                )
            }
        ),
        path="/openapi",
        render_plugins=[_Document(path="/openapi.json")],
        use_handler_docstrings=True,
    )


def _completed(document: dict[str, Any], app: Litestar) -> dict[str, Any]:
    described = (*_EXAMPLES, *_WITHOUT_EXAMPLE)
    _, schemas = msgspec.json.schema_components(described, ref_template="#/components/schemas/{name}")
    for schema in schemas.values():
        _clarify(schema)
    for body, example in _EXAMPLES.items():
        schemas[body.__name__]["examples"] = [example]
    parts = schemas[ImageForm.__name__]["properties"]  # a form has no null
    schemas[ImageForm.__name__]["properties"] = {name: _without_null(part) for name, part in parts.items()}
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    for item in document["paths"].values():
        for operation in item.values():
            operation.setdefault("security", [])
            operation["responses"] = dict(sorted(operation["responses"].items()))
    for route in app.routes:
        operations = document["paths"].get(route.path_format, {})
        for handler in getattr(route, "route_handlers", ()):
            for operation in (operations.get(method.lower()) for method in handler.http_methods):
                _complete_parameters(operation or {}, handler)
                if operation and handler.http_methods == {"PATCH"}:
                    content = operation["requestBody"]["content"]
                    content[MERGE_PATCH] = content["application/json"]
                if operation and handler.opt.get(IDEMPOTENT):
                    operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
    return document


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in schema.items() if name != "anyOf"}
    for option in schema.get("anyOf", ()):
        shown |= option if option != {"type": "null"} else {}
    if "enum" in shown:
        shown["enum"] = [value for value in shown["enum"] if value is not None]
    return shown


def _clarify(schema: Any) -> None:
    """Change a schema where openapi-typescript would misread it.

    A default becomes a sentence, or is removed if it is null or empty, because openapi-typescript would make a field
    with a default a required field. An object that may have any fields gets `additionalProperties`, because
    openapi-typescript would take it for an empty object.
    """
    if isinstance(schema, list):
        for each in schema:
            _clarify(each)
    if not isinstance(schema, dict):
        return
    default = schema.pop("default", None) if not isinstance(schema.get("default"), dict) else None
    if default not in (None, "", []):
        text = f"{schema.get('description', '')} The default is {msgspec.json.encode(default).decode()}."
        schema["description"] = text.strip()
    if schema.get("type") == "object" and "properties" not in schema:
        schema.setdefault("additionalProperties", True)
    for each in schema.values():
        _clarify(each)


def _complete_parameters(operation: dict[str, Any], handler: Any) -> None:
    """Add the bounds of numbers, which Litestar writes as floats or omits. Remove members that the service does not
    use, such as `deprecated`."""
    given: dict[str, ParameterKwarg] = {}
    for name, field in handler.parsed_fn_signature.parameters.items():
        if isinstance(field.kwarg_definition, ParameterKwarg):
            given[field.kwarg_definition.name or name] = field.kwarg_definition
    for parameter in operation.get("parameters", ()):
        definition = given.get(parameter["name"])
        for name, bound in (("minimum", getattr(definition, "ge", None)), ("maximum", getattr(definition, "le", None))):
            if bound is not None:
                parameter["schema"][name] = bound
        for name in ("deprecated", "allowEmptyValue", "allowReserved"):
            parameter.pop(name, None)
