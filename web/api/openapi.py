"""Adds to the OpenAPI document, for each route, an example of the answer and the problems that the route can return."""

from typing import Any

from litestar.openapi import OpenAPIConfig, ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, Example, SecurityScheme

from web.http.problems import KINDS, MEDIA_TYPE, Problem

API_VERSION = "1"
KEY: list[dict[str, list[str]]] = [{"key": []}]  # the OpenAPI `security` of routes that need a key when keys are on
_ALWAYS = (
    "malformed", "key-missing", "key-scope", "too-large", "media-type", "invalid", "rate", "internal", "overloaded",
    "timeout",
)  # fmt: skip


def answers(
    model: Any, example: Any, *also: str, status: int = 200, media_type: str = "application/json"
) -> dict[int, ResponseSpec]:
    """Returns, by HTTP status, the successful answer, the problems that every route can return, and the problems in
    `also`."""
    examples = None if example is None else [Example("example", value=example)]
    specs = {status: ResponseSpec(model, description="Done.", examples=examples, media_type=media_type)}
    for kind in dict.fromkeys((*_ALWAYS, *also)):
        title = KINDS[kind].title
        if before := specs.get(KINDS[kind].status):
            before.description += f" Or: {title}."
        else:
            specs[KINDS[kind].status] = ResponseSpec(
                Problem, description=f"{title}.", media_type=MEDIA_TYPE, generate_examples=False
            )
    return specs


def openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Windowshop",
        version=API_VERSION,
        description="Product search by what things look like. Errors are RFC 9457 problems with a stable `type`.",
        components=Components(
            security_schemes={
                "key": SecurityScheme(
                    type="http", scheme="bearer", description="A key that `windowshop key create` printed."
                )
            }
        ),
        path="/openapi",
        render_plugins=[JsonRenderPlugin(path="/openapi.json")],
        use_handler_docstrings=True,
    )
