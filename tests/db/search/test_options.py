"""Each interface of shop.search (SQL, Python, REST, documentation) offers every option or lists it as absent."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection, text

from db.engine import Database
from db.search.ranking import OPTIONS_OF_EXPLAIN, OPTIONS_OF_SIMILAR, SearchParams
from tests.support.search_options import NOT_IN_REST
from web.api.schemas import GeneralSearch, Weights

DOCS = Path(__file__).parents[3] / "docs"
REST = {  # maps an option to the field of a REST search request
    "query": "query",
    "image": "image",
    "inputs": "inputs",
    "filter": "filter",
    "k": "top_k",
    "catalog": "catalog",
    "image_weight": "weights.image",
    "title_weight": "weights.title",
    "keyword_weight": "weights.keyword",
    "min_similarity": "min_similarity",
    "max_gap": "max_gap",
    "after": "page",
    "cut": "cut",
    "change": "change",
    "sort": "sort",
    "group_by": "group_by",
    "diversity": "diversity",
    "correct": "correct",
    "signals": "signals",
    "rules": "rules",
}
PARAMS = {name: field.default for name, field in SearchParams.__dataclass_fields__.items()}


@pytest.fixture
def admin(database: Database) -> Any:
    with database.connect(None) as conn:
        yield conn


def arguments(conn: Connection, function: str) -> dict[str, Any]:
    """Returns the default value of each argument of a function, in the order of the arguments."""
    rows = conn.execute(
        text(
            "select a.name, pg_get_function_arg_default(p.oid, a.place::integer) from pg_proc p, "
            "unnest(p.proargnames) with ordinality as a(name, place) where p.oid = to_regproc(:function) "
            "order by a.place"
        ),
        {"function": function},
    ).all()
    assert rows, function
    return {name: default and conn.scalar(text(f"select {default}")) for name, default in rows}


def test_search_params_are_the_arguments_of_shop_search(admin: Connection) -> None:
    found = arguments(admin, "shop.search")
    assert found == PARAMS
    assert list(found) == list(PARAMS)


def test_explain_search_takes_a_sku_and_the_arguments_of_shop_search_except_after(admin: Connection) -> None:
    found = arguments(admin, "shop.explain_search")
    assert found == {name: PARAMS[name] for name in OPTIONS_OF_EXPLAIN} | {"sku": None}
    assert set(PARAMS) - set(OPTIONS_OF_EXPLAIN) == {"after"}


def test_shop_similar_takes_a_sku_in_place_of_a_query_and_lacks_the_options_of_a_query(admin: Connection) -> None:
    found = arguments(admin, "shop.similar")
    weights = {"image_weight": 1.0, "title_weight": 0.0}  # by default, shop.similar compares only images
    assert found == {"sku": None} | {name: PARAMS[name] for name in OPTIONS_OF_SIMILAR} | weights
    query = {"query", "image", "inputs", "keyword_weight"}  # absent because a product takes the place of the query
    assert set(PARAMS) - set(OPTIONS_OF_SIMILAR) == query | {"rrf_k", "degrade", "correct", "image_box", "rules"}


def test_the_sql_type_search_request_has_every_argument_except_the_cursor(admin: Connection) -> None:
    attributes = admin.execute(
        text(
            "select attname from pg_attribute where attrelid = 'shop_private.search_request'::regclass order by attnum"
        )
    )
    derived = {"parsed", "synonyms"}  # shop_private.read_query sets them
    assert [name for name in attributes.scalars() if name not in derived] == [
        name for name in PARAMS if name != "after"
    ]


def test_every_option_is_in_rest_or_has_a_reason_for_its_absence() -> None:
    assert set(REST) | set(NOT_IN_REST) == set(PARAMS)
    assert not set(REST) & set(NOT_IN_REST)
    fields = {field.name: field.default for field in msgspec.structs.fields(GeneralSearch)}
    fields |= {f"weights.{field.name}": field.default for field in msgspec.structs.fields(Weights)}
    assert set(fields) - {"weights"} == set(REST.values()) | {"explain", "language"}
    assert {option: fields[name] for option, name in REST.items()} == {option: PARAMS[option] for option in REST}


def test_docs_search_md_names_every_option_and_docs_api_md_names_each_option_of_rest() -> None:
    table = (DOCS / "search.md").read_text(encoding="utf-8").split("## Options", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| `(\w+)` \| (\S+) \|", table, flags=re.M)
    shown = {None: "null", "main": "'main'", False: "false", True: "true"}
    assert rows == [(name, shown.get(default, str(default))) for name, default in PARAMS.items()]
    api = (DOCS / "api.md").read_text(encoding="utf-8")
    assert [name for name in REST.values() if f"`{name.split('.')[0]}`" not in api] == []
