"""Python code does not decide by the words of a message. With other words in the messages of the SQL functions,
searches have the same outcomes and types of errors."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from db import functions
from db.engine import Database
from db.errors import DatabaseError, EncoderUnavailable, StatementRefused
from db.roles import Role
from db.search import ranking
from db.search.ranking import NOTICE_LEVEL, SearchParams
from db.settings import Settings
from migrations.upgrade import upgrade
from tests.support.databases import Databases
from tests.support.shop import Shop
from tests.support.web_service import SETTINGS, served

LITERAL = r"'(?:[^']|'')*'"
RAISE = re.compile(rf"\braise (?:exception|notice|warning|info|log|debug)\b(?:{LITERAL}|[^;'])*;")
REASON = re.compile(rf"\b(?:reason|err) := (?:{LITERAL}|[^;'])*;|(?<=concat_ws\('; ', )'[^']*'")
CODE = re.compile(rf"(errcode\s*=\s*(?:case\b(?:{LITERAL}|[^,;'])*|{LITERAL}))")


def reworded(statement: str) -> str:
    """Returns the statement with other words in every message, hint, detail and reason."""
    return REASON.sub(_other_words, RAISE.sub(_other_words, statement))


def _other_words(found: re.Match[str]) -> str:
    parts = CODE.split(found[0])
    return "".join(
        part if CODE.fullmatch(part) else re.sub(LITERAL, _other_literal, part, flags=re.S) for part in parts
    )


def _other_literal(literal: re.Match[str]) -> str:
    """Returns a literal with other words and the same placeholders of format() or RAISE. A literal without a space is a
    name or a code and stays unchanged."""
    if " " not in literal[0]:
        return literal[0]
    return re.sub(r"%[sLI]|[a-zA-Z]+", lambda word: word[0] if word[0][0] == "%" else "mumble", literal[0])


@pytest.fixture(scope="module")
def reworded_shop(databases: Databases, toy_template: tuple[str, Path]) -> Iterator[Shop]:
    name, home = toy_template
    database = databases.copy(name)
    original = functions.statements

    def statements(names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        for file, statement in original(names):
            yield file, reworded(statement)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(functions, "statements", statements)
        upgrade(database, Settings(home=home))
    made = Shop(database)
    made.add(*(f"sku{n}" for n in range(12)))
    made.encode_all()
    made.cache("bag")
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(reworded_shop: Shop) -> Iterator[httpx.Client]:
    with served(reworded_shop.database, SETTINGS) as client:
        yield client


def search(database: Database, **options: object) -> ranking.SearchResult:
    with database.connect(Role.ANALYST) as conn:
        conn.exec_driver_sql(f"set client_min_messages = {NOTICE_LEVEL}")
        return ranking.search(conn, SearchParams(**options))  # type: ignore[arg-type]


def test_every_message_is_reworded(reworded_shop: Shop) -> None:
    with pytest.raises(DatabaseError) as error:
        search(reworded_shop.database, query="bag", k=0)
    assert error.value.message == "mumble mumble 0"
    bodies = reworded_shop.value(
        "select string_agg(p.prosrc, '') from pg_proc p "
        "where p.pronamespace::regnamespace::text in ('shop', 'shop_private')"
    )
    for words in ("no product was found", "only keywords were searched", "query vector: cached", "no model is serving"):
        assert words not in bodies


def test_a_degraded_search_is_recognised_without_its_message(reworded_shop: Shop) -> None:
    found = search(reworded_shop.database, query="title of sku1 never asked", degrade=True)
    assert found.rows and found.degraded and found.reason
    found = search(reworded_shop.database, query="bag", degrade=True)
    assert found.rows and not found.degraded


def test_a_search_without_results_gives_a_reason(reworded_shop: Shop) -> None:
    nothing = '{"color": "green"}'
    found = search(reworded_shop.database, query="bag", filter=nothing)
    assert (found.rows, found.degraded) == ([], False)
    assert found.reason
    found = search(reworded_shop.database, query="never asked", filter=nothing, degrade=True)
    assert (found.rows, found.degraded) == ([], True)
    assert found.reason


def test_the_counts_of_cache_hits_and_misses_do_not_depend_on_messages(reworded_shop: Shop) -> None:
    found = search(reworded_shop.database, query="bag")
    assert (found.cache_hits, found.cache_misses) == (1, 0)
    found = search(reworded_shop.database, query="never asked", degrade=True)
    assert (found.cache_hits, found.cache_misses) == (0, 1)


def test_the_classes_of_errors_do_not_depend_on_messages(reworded_shop: Shop) -> None:
    with pytest.raises(EncoderUnavailable):
        search(reworded_shop.database, query="never asked")
    with pytest.raises(StatementRefused):
        search(reworded_shop.database, query="bag", k=0)


@pytest.mark.parametrize(
    ("body", "status", "problem"),
    [
        ({"query": "bag", "catalog": "nowhere"}, 404, "not-found"),
        ({"query": "bag", "filter": {"nothing": 1}}, 422, "invalid"),
        ({"query": "bag", "page": "no cursor"}, 422, "invalid"),
        ({"inputs": [{"image": "bm90IGFza2Vk"}]}, 503, "encoder-unavailable"),
    ],
)
def test_problem_types_do_not_depend_on_messages(
    client: httpx.Client, body: dict[str, object], status: int, problem: str
) -> None:
    answer = client.post("/search", json=body)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:windowshop:problem:{problem}")


def test_the_degraded_header_does_not_depend_on_messages(client: httpx.Client) -> None:
    answer = client.post("/search/text", json={"query": "title of sku1 never asked"})
    assert answer.headers["windowshop-degraded"] == "keywords"
