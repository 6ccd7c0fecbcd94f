"""Answers the messages of the protocol with the official SDK: the list of the tools, and calls of tools.

A call that fails returns a tool error whose text has the title, detail and hint of REST's problem. A call of an unknown
tool gets an error of the protocol instead.
"""

import json
import secrets
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any

import msgspec
from mcp.server import Server, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    ToolAnnotations,
)
from mcp_types import Tool as ListedTool

from web.http.bodies import hint_of
from web.http.problems import ApiError, Problem, as_api_error, log_if_internal, problem_and_headers
from web.http.wording import for_assistants
from web.mcp.rest import RestRefused
from web.mcp.tools import TOOLS, Tool, description, schema

INSTRUCTIONS = """\
Searches the products of a shop by text, image and similarity. Begin with the tool `search`. Use `facets` to learn \
the values that a filter can have, and `product` for the details of a result. Answers are short: ask for more with \
`limit`, or for the next page with `cursor`."""

# Sends the tool's request to REST and returns the shortened answer. The context is that of the protocol's request.
Run = Callable[[ServerRequestContext[Any, Any], Tool], Awaitable[dict[str, Any]]]
_LISTED = [
    ListedTool(
        name=name,
        description=description(tool),
        input_schema=schema(tool),
        annotations=ToolAnnotations(read_only_hint=True, open_world_hint="image_url" in tool.__struct_fields__),
    )
    for name, tool in TOOLS.items()
]


def _fresh_id(context: ServerRequestContext[Any, Any]) -> str:
    return secrets.token_hex(8)


def make_server(run: Run, request_id: Callable[[ServerRequestContext[Any, Any]], str] = _fresh_id) -> Server[Any]:
    """`request_id` returns the id under which an internal error is logged and reported."""

    async def list_tools(
        context: ServerRequestContext[Any, Any], params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        return ListToolsResult(tools=_LISTED)

    async def call_tool(context: ServerRequestContext[Any, Any], params: CallToolRequestParams) -> CallToolResult:
        tool = TOOLS.get(params.name)
        if tool is None:
            raise MCPError(INVALID_PARAMS, f"There is no tool {params.name[:80]}. The tools: {', '.join(TOOLS)}.")
        try:
            answer = await run(context, _read(tool, params.arguments or {}))
        except RestRefused as error:
            return _refusal(error.problem)
        except Exception as error:
            known, own_id = as_api_error(error), request_id(context)
            log_if_internal(error, known.kind, own_id)
            return _refusal(problem_and_headers(known, own_id)[0])
        return CallToolResult(content=[_text(answer)], structured_content=answer)

    return Server(
        "windowshop",
        version=version("windowshop"),
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _read(tool: type[Tool], arguments: dict[str, Any]) -> Tool:
    try:
        json.dumps(arguments, ensure_ascii=False, allow_nan=False).encode()
        return msgspec.convert(arguments, tool)
    except msgspec.ValidationError as error:
        raise ApiError("invalid", str(error), hint=hint_of(error, tool)) from None
    except UnicodeEncodeError:
        raise ApiError("invalid", "A text has a surrogate without its pair, which is no character.") from None
    except ValueError:
        raise ApiError("invalid", "A number is not finite.") from None


def _refusal(problem: Problem) -> CallToolResult:
    problem = msgspec.structs.replace(problem, detail=for_assistants(problem.detail), hint=for_assistants(problem.hint))
    text = " ".join(f"{part.rstrip('.')}." for part in (problem.title, problem.detail, problem.hint) if part)
    return CallToolResult(
        content=[TextContent(type="text", text=text)],
        structured_content=msgspec.to_builtins(problem),
        is_error=True,
    )


def _text(answer: dict[str, Any]) -> TextContent:
    return TextContent(type="text", text=msgspec.json.encode(answer).decode())
