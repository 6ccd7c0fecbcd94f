"""Lists, adds and deletes synonyms."""

from typing import Annotated, Any

import msgspec
from litestar import Request, delete, get, post
from litestar.datastructures import State
from litestar.params import JSONBody, PathParameter, QueryParameter
from msgspec import Meta
from sqlalchemy import Connection

from db.functions.constants import MAX_SYNONYM_TERMS
from db.search import synonyms
from db.search.synonyms import Synonym
from web.api.key_limits import KeyLimits
from web.api.openapi import BODY, KEY, KEYED, REPEATABLE, answers
from web.api.schemas import MAX_CATALOG
from web.http.idempotency import IDEMPOTENT
from web.http.problems import ApiError

_ROWS = 1000  # the most synonyms in one answer

Term = Annotated[str, Meta(min_length=2, max_length=100)]


class SynonymIn(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Terms that mean the same in searches. With `from_term`, only `from_term` finds the others."""

    terms: Annotated[list[Term], Meta(min_length=1, max_length=MAX_SYNONYM_TERMS)]
    from_term: Term | None = None
    catalog: Annotated[
        Annotated[str, Meta(max_length=MAX_CATALOG)] | None, Meta(description="Null means every catalog.")
    ] = None
    language: Annotated[Annotated[str, Meta(max_length=63)] | None, Meta(description="Null means every language.")] = (
        None
    )


class SynonymOut(SynonymIn, kw_only=True):
    synonym_id: int


class Synonyms(msgspec.Struct):
    synonyms: list[SynonymOut]
    next: Annotated[
        int | None, Meta(description="Send this as `after` for the next synonyms; null if there are no more.")
    ]


_documented: dict[str, Any] = {"security": KEY, "tags": ["Synonyms"]}


def _out(row: Synonym) -> SynonymOut:
    return SynonymOut(
        synonym_id=row.synonym_id,
        terms=list(row.terms),
        from_term=row.from_term,
        catalog=row.catalog,
        language=row.language,
    )


def _check(limits: KeyLimits, catalog: str | None) -> None:
    if catalog is None:
        limits.check_every_catalog()
    else:
        limits.check_catalog(catalog)


@get(
    "/synonyms",
    operation_id="listSynonyms",
    opt={"scope": "admin", "strict": True},
    responses=answers(Synonyms, *KEYED),
    **_documented,
)
async def list_synonyms(
    request: Request[Any, Any, Any],
    state: State,
    catalog: Annotated[
        str | None,
        QueryParameter(
            max_length=MAX_CATALOG, description="Only synonyms of this catalog, and those for every catalog."
        ),
    ] = None,
    after: Annotated[int, QueryParameter(ge=0, description="`next` of the previous answer.")] = 0,
) -> Synonyms:
    """List the synonyms, at most 1,000 in an answer."""
    _check(KeyLimits.of(request), catalog)
    found = await state.pools.read(request, lambda conn: synonyms.read(conn, catalog, after=after, rows=_ROWS))
    return Synonyms([_out(row) for row in found], found[-1].synonym_id if len(found) == _ROWS else None)


@post(
    "/synonyms",
    operation_id="addSynonym",
    opt={"scope": "admin", "strict": True, IDEMPOTENT: True},
    status_code=200,
    responses=answers(SynonymOut, *BODY, *KEYED, *REPEATABLE),
    **_documented,
)
async def add_synonym(request: Request[Any, Any, Any], state: State, data: JSONBody[SynonymIn]) -> SynonymOut:
    """Add a synonym. Searches use it at once. If an equal synonym exists, it is returned."""
    _check(KeyLimits.of(request), data.catalog)

    def add(conn: Connection) -> Synonym:
        return synonyms.add(conn, data.terms, data.from_term, catalog=data.catalog, language=data.language)

    return _out(await state.pools.write(request, add))


@delete(
    "/synonyms/{synonym_id:int}",
    operation_id="deleteSynonym",
    opt={"scope": "admin", "strict": True, IDEMPOTENT: True},
    responses=answers(None, *KEYED, *REPEATABLE, "not-found", status=204),
    **_documented,
)
async def delete_synonym(
    request: Request[Any, Any, Any], state: State, synonym_id: Annotated[int, PathParameter(ge=1)]
) -> None:
    """Delete a synonym."""
    limits = KeyLimits.of(request)

    def remove(conn: Connection) -> None:
        removed = synonyms.remove(conn, synonym_id)
        if removed is None or (removed.catalog is not None and not limits.allows_catalog(removed.catalog)):
            raise ApiError("not-found", f"There is no synonym {synonym_id}.")  # rolls the transaction back
        _check(limits, removed.catalog)

    await state.pools.write(request, remove)
