"""A judged query, asked: by `shop.search`, or in a trial of a model that need not be serving."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from db.errors import EncoderUnavailable
from db.evaluation.fusion import LEGS, Weights
from db.evaluation.judgements import JudgedQuery

Filter = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Hit:
    product_id: UUID
    sku: str
    route: str
    image_distance: float | None
    title_distance: float | None


_SEARCH = """
select product_id, sku, route, image_distance, title_distance
from shop.search(
    query => :query, image => (select picture from shop.judgement where judgement_id = :picture_of),
    inputs => cast(:inputs as jsonb), filter => cast(:filter as jsonb), k => :k, catalog => :catalog,
    image_weight => :image, title_weight => :title, keyword_weight => :keyword,
    rrf_k => :rrf_k, route => :route)
order by rank"""

_TRIAL = """
select product_id, sku, 'exact', image_distance, title_distance
from shop_private.trial_search(
    :model, :query, (select picture from shop.judgement where judgement_id = :picture_of), :picture_sku,
    cast(:filter as jsonb), :k, :catalog, cast(:image as float8), cast(:title as float8), cast(:keyword as float8),
    :rrf_k)"""


def search(
    conn: Connection,
    query: JudgedQuery,
    *,
    k: int,
    weights: Weights | None = None,
    filter: Filter | None = None,  # noqa: A002  the argument's name in SQL
    route: str | None = None,
    trial_of: str | None = None,
) -> list[Hit]:
    """The one place that calls shop.search, which leaves a product that is asked with out by itself.

    `trial_of`: a model that is asked as if it were serving, by the exact route. That takes weights, and the app's
    rights: nobody else may have texts encoded by a model that does not serve.

    Raises EncoderUnavailable naming the query.
    """
    by_product = None if query.picture_sku is None else json.dumps([{"sku": query.picture_sku}])
    values = dict.fromkeys((*LEGS, "rrf_k")) if weights is None else asdict(weights)
    asked = {
        "query": query.text, "picture_of": query.picture_of, "catalog": query.catalog, "k": k,
        "filter": None if filter is None else json.dumps(filter), **values,
    }  # fmt: skip
    try:
        if trial_of is None:
            rows = conn.execute(text(_SEARCH), {**asked, "inputs": by_product, "route": route})
        else:
            rows = conn.execute(text(_TRIAL), {**asked, "picture_sku": query.picture_sku, "model": trial_of})
    except EncoderUnavailable as error:
        named = f'query "{query.label[:80]}" of suite {query.suite}'
        raise EncoderUnavailable(f"{named} cannot be encoded: {error.message}", hint=error.hint) from error
    return [Hit(*row) for row in rows]
