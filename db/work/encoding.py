"""Tells how far the serving model has encoded products."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, text

State = Literal["done", "waiting", "quarantined"]


@dataclass(frozen=True, slots=True)
class EncodedPart:
    """The title or an image of a product. `reason` tells why the part is not encoded, if that is known."""

    part: Literal["title", "image"]
    position: int
    uri: str | None
    state: State
    reason: str | None


@dataclass(frozen=True, slots=True)
class QuarantinedPart:
    """A row of shop.quarantine."""

    model: str
    sku: str
    part: str
    position: int
    uri: str | None
    error: str | None


_QUARANTINED = text(
    "select model, sku, part, position, uri, error from shop.quarantine where catalog = :catalog limit :rows"
)
_MODEL = text("select name from shop.model where status = 'serving'")
# A product has no work item for a part that is encoded. Without a serving model, nothing is encoded.
_PARTS = text(
    """
with item as (
    select 'title' as part, 0 as position, null as uri
    union all
    select 'image', i.position, i.uri from shop.product_image i where i.product_id = :product
)
select t.part, t.position, t.uri,
    case when m.model_id is null or w.state in ('pending', 'leased') then 'waiting'
        when w.state = 'quarantined' then 'quarantined' else 'done' end,
    coalesce(w.error, h.error, case when m.model_id is null then 'no model serves' end)
from item t
left join shop.model m on m.status = 'serving'
left join shop_private.work w on w.product_id = :product and w.model_id = m.model_id and w.part::text = t.part
    and w.position = t.position
left join shop.failing_host h on h.host = w.host
order by t.part desc, t.position
"""
)
_STATES = text(
    """
select s.sku, bool_or(w.state <> 'quarantined')
from unnest(cast(:skus as text[])) as s(sku)
join shop_private.work w on w.product_id = shop.product_id(s.sku, :catalog)
join shop.model m on m.model_id = w.model_id and m.status = 'serving'
group by s.sku
"""
)
_PRODUCT = text("select product_id from shop.product where product_id = shop.product_id(:sku, :catalog)")


def serving_model(conn: Connection) -> str | None:
    name: str | None = conn.scalar(_MODEL)
    return name


def quarantined(conn: Connection, catalog: str, rows: int) -> list[QuarantinedPart]:
    """Return at most `rows` titles and images of a catalog that could not be encoded, each with the reason."""
    return [QuarantinedPart(*row) for row in conn.execute(_QUARANTINED, {"catalog": catalog, "rows": rows})]


def parts(conn: Connection, sku: str, catalog: str) -> list[EncodedPart] | None:
    """Return the title and the images of a product, or None if there is no such product."""
    found = conn.scalar(_PRODUCT, {"sku": sku, "catalog": catalog})
    return None if found is None else [EncodedPart(*row) for row in conn.execute(_PARTS, {"product": found})]


def states(conn: Connection, skus: Sequence[str], catalog: str) -> dict[str, State]:
    """Return the state of each product: `waiting` if a part waits, `quarantined` if a part is in quarantine and
    none waits, and `done` in all other cases. Without a serving model, every product is `waiting`."""
    found: dict[str, State] = dict.fromkeys(skus, "done" if serving_model(conn) else "waiting")
    for sku, has_waiting in conn.execute(_STATES, {"skus": list(skus), "catalog": catalog}):
        found[sku] = "waiting" if has_waiting else "quarantined"
    return found
