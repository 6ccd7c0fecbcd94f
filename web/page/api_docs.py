"""Shows the OpenAPI document as a page without scripts, at /docs."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
from litestar import Litestar, Request, get
from litestar.response import Template

from web.api.document import document_of
from web.page.rendering import page_headers

_METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class NamedValue:
    """A parameter of an operation, or a field of a schema."""

    name: str
    type: str
    schema: str | None  # name of the schema that the type refers to
    required: bool
    description: str


@dataclass(frozen=True, slots=True)
class Shape:
    """A schema of the document."""

    name: str
    description: str
    members: list[NamedValue]
    example: str | None


@dataclass(frozen=True, slots=True)
class Endpoint:
    id: str
    method: str
    path: str
    description: str
    needs_key: bool
    parameters: list[NamedValue]
    bodies: list[tuple[str, str]]  # media type, name of the schema
    answers: list[tuple[str, str, str | None]]  # status, description, name of the schema


@get("/docs", include_in_schema=False, sync_to_thread=False)
def api_docs(request: Request[Any, Any, Any]) -> Template:
    api = document_of(request.app)
    context = {"info": api["info"], "groups": _groups(request.app), "shapes": _shapes(request.app)}
    return Template(template_name="api_docs.html", context=context, headers=page_headers())


@lru_cache(maxsize=4)
def _groups(app: Litestar) -> list[tuple[str, str, list[Endpoint]]]:
    """Returns the name, the description and the operations of each tag."""
    api = document_of(app)
    found: dict[str, list[Endpoint]] = {tag["name"]: [] for tag in api["tags"]}
    for path, item in api["paths"].items():
        for method in (each for each in _METHODS if each in item):
            found[item[method]["tags"][0]].append(_endpoint(method, path, item[method]))
    return [(tag["name"], tag["description"], found[tag["name"]]) for tag in api["tags"]]


@lru_cache(maxsize=4)
def _shapes(app: Litestar) -> list[Shape]:
    found = []
    for name, schema in document_of(app)["components"]["schemas"].items():
        required = schema.get("required", ())
        members = [
            _member(field, each, field in required, each.get("description", ""))
            for field, each in schema.get("properties", {}).items()
        ]
        example = schema.get("examples", [None])[0]
        shown = None if example is None else msgspec.json.format(msgspec.json.encode(example), indent=2).decode()
        found.append(Shape(name, schema.get("description", ""), members, shown))
    return found


def _endpoint(method: str, path: str, operation: dict[str, Any]) -> Endpoint:
    parameters = [
        _member(each["name"], each["schema"], each.get("required", False), each.get("description", ""))
        for each in operation.get("parameters", ())
    ]
    bodies = [
        (kind, _reference(content["schema"]) or "")
        for kind, content in operation.get("requestBody", {}).get("content", {}).items()
    ]
    answers = [
        (
            status,
            answer["description"],
            next((_reference(one["schema"]) for one in answer.get("content", {}).values()), None),
        )
        for status, answer in operation["responses"].items()
    ]
    return Endpoint(
        operation["operationId"],
        method.upper(),
        path,
        operation["description"],
        bool(operation.get("security")),
        parameters,
        bodies,
        answers,
    )


def _member(name: str, schema: dict[str, Any], required: bool, description: str) -> NamedValue:
    return NamedValue(name, " or ".join(dict.fromkeys(_types(schema))), _reference(schema), required, description)


def _types(schema: dict[str, Any]) -> Iterator[str]:
    """Yields the types that a value may have, in words."""
    if reference := schema.get("$ref"):
        yield reference.rpartition("/")[2]
    elif options := schema.get("anyOf") or schema.get("oneOf"):
        for option in options:
            yield from _types(option)
    elif "enum" in schema:
        yield ", ".join("null" if value is None else str(value) for value in schema["enum"])
    else:
        kinds = schema.get("type", "any value")
        for kind in [kinds] if isinstance(kinds, str) else kinds:
            items = schema.get("items")
            yield f"list of {' or '.join(_types(items))}" if kind == "array" and items else kind


def _reference(schema: dict[str, Any]) -> str | None:
    """Returns the name of the schema that this schema, its items or one of its options refers to."""
    if reference := schema.get("$ref"):
        return str(reference.rpartition("/")[2])
    for option in (*schema.get("anyOf", ()), *([schema["items"]] if isinstance(schema.get("items"), dict) else ())):
        if name := _reference(option):
            return name
    return None
