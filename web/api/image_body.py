"""Describes, in the OpenAPI document, a body that may be JSON or a form. Litestar itself describes only one media type
per route."""

from dataclasses import dataclass
from typing import Any

import msgspec
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody

from web.api.examples import IMAGE
from web.api.schemas import ImageSearch


def _schemas() -> tuple[Any, Any]:
    """Returns the schemas of the JSON body and of the form, without references.

    Both schemas are dicts. Litestar declares the type Schema, but writes a dict to the OpenAPI document unchanged.
    """
    (as_json,), components = msgspec.json.schema_components([ImageSearch], ref_template="#/{name}")
    as_json = components["ImageSearch"]
    weights = {"anyOf": [{"type": "null"}, components["Weights"]]}
    properties = as_json["properties"] | {"weights": weights}
    in_form = properties | {"image": {"type": "string", "format": "binary", "description": "An image file."}}
    return as_json | {"properties": properties}, as_json | {"properties": in_form}


@dataclass
class ImageBody(Operation):
    def __post_init__(self) -> None:
        as_json, as_form = _schemas()
        self.request_body = RequestBody(
            required=True,
            content={
                "application/json": OpenAPIMediaType(schema=as_json, example=IMAGE),
                "multipart/form-data": OpenAPIMediaType(schema=as_form),
            },
        )
