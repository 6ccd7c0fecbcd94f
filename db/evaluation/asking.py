"""Runs the search of a judged query: with `shop.search`, or as a trial of a model, which need not be serving."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text

from db.errors import EncoderUnavailable
from db.evaluation.fusion import LegWeights
from db.evaluation.judgements import JudgedQuery
from db.search import ranking
from db.search.ranking import SearchHit, SearchParams

Filter = Mapping[str, Any]


def search(
    conn: Connection,
    query: JudgedQuery,
    *,
    k: int,
    weights: LegWeights | None = None,
    filter: Filter | None = None,  # noqa: A002  the argument's name in SQL
    route: str | None = None,
    trial_of: str | None = None,
) -> list[SearchHit]:
    """Return the k best products for a judged query. If the query is a product, the results exclude that product.

    With `trial_of`, the search takes the exact route and treats the model of this name as if it were serving. A trial
    needs `weights`, and a connection with the role app: only this role may have a text encoded by a model that is not
    serving.

    If the query cannot be encoded, raises EncoderUnavailable, which names the query.
    """
    params = SearchParams(
        query=query.text,
        image=_image(conn, query),
        filter=None if filter is None else json.dumps(filter),
        k=k,
        catalog=query.catalog,
        image_weight=None if weights is None else weights.image,
        title_weight=None if weights is None else weights.title,
        keyword_weight=None if weights is None else weights.keyword,
        rrf_k=None if weights is None else weights.rrf_k,
        route=route,
        inputs=None if query.picture_sku is None or trial_of else json.dumps([{"sku": query.picture_sku}]),
    )
    try:
        if trial_of is None:
            return ranking.search(conn, params).rows
        return ranking.trial(conn, trial_of, query.picture_sku, params).rows
    except EncoderUnavailable as error:
        named = f'query "{query.label[:80]}" of suite {query.suite}'
        raise EncoderUnavailable(f"{named} cannot be encoded: {error.message}", hint=error.hint) from error


def _image(conn: Connection, query: JudgedQuery) -> bytes | None:
    if query.picture_of is None:
        return None
    of_judgement = text("select picture from shop.judgement where judgement_id = :judgement_id")
    image: bytes | None = conn.scalar(of_judgement, {"judgement_id": query.picture_of})
    return image
