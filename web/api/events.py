"""POST /events stores events of shoppers in shop.event. A SQL query can join the events with the products, to measure
how well search works."""

from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, post
from litestar.datastructures import State
from litestar.params import JSONBody
from msgspec import Meta

from db.search import events
from web.api.batches import Refused, read_items, shown_as
from web.api.key_limits import KeyLimits
from web.api.openapi import BODY, KEY, KEYED, answers
from web.api.schemas import Catalog, Sku, Text
from web.http.problems import ApiError

Visitor = Annotated[str, Meta(min_length=1, max_length=200)]
Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Rank = Annotated[int, Meta(ge=1, le=1_000_000)]


class EventIn(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A search with its query and number of results, or an action on a product with its SKU and rank in the results."""

    kind: Literal["search", "click", "add_to_cart", "purchase"]
    visitor: Annotated[Visitor | None, Meta(description="The shop's identifier of the visitor or session.")] = None
    catalog: Catalog = "main"
    query: Text | None = None
    results: Count | None = None
    sku: Sku | None = None
    rank: Rank | None = None


class EventsIn(msgspec.Struct, forbid_unknown_fields=True):
    events: Annotated[list[Annotated[msgspec.Raw, shown_as(EventIn)]], Meta(min_length=1, max_length=1000)]


class RefusedEvent(msgspec.Struct):
    place: Annotated[int, Meta(description="The event's place in the request. The first event has 0.")]
    reason: str


class Recorded(msgspec.Struct, omit_defaults=True):
    recorded: int
    refused: Annotated[list[RefusedEvent], Meta(description="The events that are not recorded.")] = []


@post(
    "/events",
    operation_id="recordEvents",
    opt={"scope": "search", "strict": True},
    status_code=201,
    security=KEY,
    tags=["Events"],
    responses=answers(Recorded, *BODY, *KEYED, status=201),
)
async def record_events(
    request: Request[Any, Any, Any],
    state: State,
    data: JSONBody[EventsIn],
) -> Recorded:
    """Record up to 1,000 events of shoppers. An event that cannot be read is listed in `refused`; if none can be read,
    the request is refused."""
    items = read_items(data.events, EventIn)
    given = [event for event in items if isinstance(event, EventIn)]
    if any("\0" in (event.visitor or "") + (event.query or "") + (event.sku or "") for event in given):
        raise ApiError("invalid", "A text contains a NUL character.")
    limits = KeyLimits.of(request)
    for catalog in {event.catalog for event in given}:
        limits.check_catalog(catalog)
    rows = [events.Event(**msgspec.structs.asdict(event)) for event in given]
    await state.pools.write(request, lambda conn: events.record(conn, rows))
    refused = [RefusedEvent(place, item.reason) for place, item in enumerate(items) if isinstance(item, Refused)]
    return Recorded(len(rows), refused)
