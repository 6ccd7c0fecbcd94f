"""uvicorn and Litestar have the undocumented parts that the service uses. pyproject.toml allows one minor version of
each package, so that an update is tested here first."""

import asyncio
import inspect
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import pytest
from litestar import Litestar, post
from litestar.exceptions import MethodNotAllowedException
from litestar.params import JSONBody, QueryParameter
from packaging.requirements import Requirement
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"


async def _app(scope: Any, receive: Any, send: Any) -> None: ...


@pytest.mark.parametrize("package", ["uvicorn", "litestar"])
def test_pyproject_allows_one_minor_version_of_the_package(package: str) -> None:
    wanted = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]["web"]
    [allowed] = [one for one in map(Requirement, wanted) if one.name == package]
    major, minor = (int(part) for part in version(package).split(".")[:2])
    assert allowed.specifier.contains(version(package))
    assert not allowed.specifier.contains(f"{major}.{minor + 1}.0")
    assert not allowed.specifier.contains(f"{major}.{minor - 1}.99")


def test_uvicorn_has_the_parts_that_the_service_uses() -> None:
    loop = asyncio.new_event_loop()
    try:
        protocol: Any = HttpToolsProtocol(Config(_app, log_config=None, interface="asgi3"), ServerState(), {}, loop)
        for method in (
            "connection_made", "connection_lost", "data_received", "send_400_response", "on_message_begin",
            "on_headers_complete", "on_body", "on_message_complete", "on_response_complete",
        ):  # fmt: skip
            assert callable(getattr(HttpToolsProtocol, method, None)), f"HttpToolsProtocol.{method}"
        for attribute in ("loop", "parser", "transport", "cycle", "headers", "expect_100_continue", "server_state"):
            assert hasattr(protocol, attribute), f"HttpToolsProtocol.{attribute}"
        protocol.on_message_begin()
        protocol.on_url(b"/v1/search")
        assert protocol.url == b"/v1/search"
        assert protocol.server_state.default_headers == []
        assert callable(protocol.parser.get_method) and callable(protocol.parser.should_keep_alive)
        assert "self.response_complete = False" in inspect.getsource(RequestResponseCycle.__init__)
    finally:
        loop.close()


def test_litestar_has_the_parts_that_the_service_uses() -> None:
    @post("/x")
    async def route(data: JSONBody[dict[str, int]], limit: Annotated[int, QueryParameter()]) -> None: ...

    app = Litestar([route], openapi_config=None, logging_config=None)
    *_, template = app.asgi_router.handle_routing(path="/x", method="POST")
    assert template == "/x"
    with pytest.raises(MethodNotAllowedException) as refused:
        app.asgi_router.handle_routing(path="/x", method="TRACE")
    assert "POST" in (refused.value.headers or {})["allow"]
    [handler] = [one for one in app.routes[0].route_handlers if one.fn is route.fn]
    assert handler.parsed_data_field.annotation == dict[str, int]
    assert {"data", "limit"} <= handler.parsed_fn_signature.parameters.keys()
