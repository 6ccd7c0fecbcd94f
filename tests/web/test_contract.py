"""The OpenAPI document describes the service. Schemathesis sends requests that the document allows and requests that
the document forbids, and checks every answer."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from litestar.handlers import HTTPRouteHandler
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection

from db import api_keys
from tests.support.databases import Databases
from tests.support.web_service import ROUTES, SETTINGS, answering, served
from web.http.problems import KINDS

CASES = [10, pytest.param(100, marks=pytest.mark.soak)]  # the largest number of requests for each route and mode


def test_every_route_has_a_description_and_examples_and_an_answer_for_errors(client: httpx.Client) -> None:
    schema = client.get("/openapi/openapi.json").json()
    assert schema["openapi"].startswith("3.1")
    for path, item in schema["paths"].items():
        for method, operation in item.items():
            where = f"{method} {path}"
            assert operation.get("description"), where
            good = next(answer for status, answer in operation["responses"].items() if status.startswith("2"))
            bodies = {**good.get("content", {}), **operation.get("requestBody", {}).get("content", {})}
            for kind, content in bodies.items():
                body = schema["components"]["schemas"].get(content["schema"].get("$ref", "").rpartition("/")[2], {})
                assert "examples" in body or kind in ("image/*", "multipart/form-data", "application/x-ndjson"), where
            assert "application/problem+json" in operation["responses"]["500"]["content"], where


def test_the_examples_of_searches_and_facets_are_accepted(client: httpx.Client) -> None:
    from web.api.examples import FACETS_ASKED, GENERAL, PRODUCT_SEARCH, TEXT

    searches = (("/search/text", TEXT), ("/search", GENERAL), ("/v1/search", PRODUCT_SEARCH))
    for path, body in (*searches, ("/facets", FACETS_ASKED), ("/v1/facets", FACETS_ASKED)):
        assert client.post(path, json=body).status_code == 200, path


def test_no_problem_type_is_renamed_or_removed() -> None:
    """Clients decide by the problem type, so a release may add types but must keep every existing type."""
    assert set(KINDS) >= {
        "malformed", "key-missing", "key-scope", "not-found", "method", "cursor-outdated", "too-large", "media-type",
        "invalid", "rate", "internal", "overloaded", "encoder-unavailable", "database-unavailable", "timeout",
    }  # fmt: skip


@pytest.fixture(scope="module")
def keyed_service(databases: Databases, shop_template: str) -> Iterator[tuple[Callable[[], Any], dict[str, str]]]:
    """Yields a function that reads the OpenAPI document of a service with API keys, and the headers of a client with
    every scope."""
    database = databases.copy(shop_template)
    with database.connect(None) as conn, conn.begin():
        token = api_keys.create(conn, "schemathesis", ["admin"])
    with answering(database), served(database, SETTINGS.model_copy(update={"api_keys": "on"})) as client:
        config = schemathesis.Config.from_dict(
            # A JSON schema cannot express which filters, cursors and base64 texts are valid. So the service may refuse
            # a request that the document allows.
            {"checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "404", "412", "422", "503"]}}}
        )
        url = str(client.base_url.join("/openapi/openapi.json"))
        yield lambda: schemathesis.openapi.from_url(url, config=config), {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("cases", CASES)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize(("path", "route"), ROUTES, ids=[route.handler_name for _, route in ROUTES])
def test_every_answer_matches_the_openapi_document(
    keyed_service: tuple[Callable[[], Any], dict[str, str]],
    path: str,
    route: HTTPRouteHandler,
    mode: GenerationMode,
    cases: int,
) -> None:
    read, headers = keyed_service
    schema = read()  # read for each route, because schemathesis stores answers in the schema and reuses them
    path = path.replace(":str", "").replace(":uuid", "").replace(":int", "")
    operation = schema[path][min(route.http_methods).lower()]
    if mode is GenerationMode.NEGATIVE and not (operation.body or operation.query or operation.path_parameters):
        return  # the route takes no input

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=cases,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def check(case: Case) -> None:
        if (case.query or {}).get("wait") in range(1, 61):  # the products of this test are never encoded
            case.query["wait"] = 0
        # In some negative cases, the missing key is the only fault. For example, if the faulty value of a parameter is
        # an empty list, the address does not contain the parameter at all. So such a case is sent without a key.
        keyed = mode is GenerationMode.POSITIVE or "Authorization" in (case.headers or {})
        answer = case.call(headers=headers if keyed else None)
        # Only the faulty items of a batch are refused, so the answer to the batch is a success.
        excluded = (
            [negative_data_rejection] if route.handler_name in ("put_products", "record_events", "multi_search") else []
        )
        case.validate_response(answer, excluded_checks=excluded)

    check()
