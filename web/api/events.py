"""POST /events stores events of shoppers in shop.event. An SQL query can join the events with the products, to measure
how well search works."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, post
from litestar.datastructures import State
from litestar.params import JSONBody
from msgspec import Meta
from sqlalchemy import Connection

from db.catalog import catalogs
from db.search import events
from web.api.batches import Refused, read_items, shown_as
from web.api.key_limits import KeyLimits
from web.api.openapi import BODY, KEY, KEYED, REPEATABLE, answers
from web.api.schemas import Catalog, SearchId, Sku, Text
from web.http.idempotency import IDEMPOTENT
from web.http.problems import ApiError

_FUTURE = timedelta(days=1)  # the clocks of shoppers' devices differ
_PAST = timedelta(days=3653)  # an older time probably comes from a wrong unit or an unset clock
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Rank = Annotated[int, Meta(ge=1, le=1_000_000)]
Quantity = Annotated[int, Meta(ge=1, le=1_000_000)]
Value = Annotated[float, Meta(ge=0, le=100_000_000_000)]
Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$")]


class EventIn(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A search with its query and number of results, or an action on a product with its SKU and rank in the results.
    In version 1, an event needs `sku`, `search_id` or `query`."""

    kind: Literal["search", "view", "click", "wishlist", "add_to_cart", "purchase"]
    visitor: Annotated[Name | None, Meta(description="The shop's identifier of the visitor.")] = None
    session: Annotated[Name | None, Meta(description="The shop's identifier of the visitor's session.")] = None
    search_id: Annotated[
        SearchId | None,
        Meta(
            description="`search_id` of the answer that led to the event. For an event of the kind `search`, this is "
            "the answer to the search itself."
        ),
    ] = None
    time: Annotated[
        Annotated[datetime, Meta(tz=True)] | None,
        Meta(
            description="When the event happened, with a time zone: at most a day in the future, and in version 1 at "
            "most ten years ago. "
            "Without `time`, the time of arrival is stored."
        ),
    ] = None
    catalog: Catalog = "main"
    query: Text | None = None
    results: Count | None = None
    sku: Sku | None = None
    rank: Annotated[Rank | None, Meta(description="`rank` of the product in the answer.")] = None
    position: Annotated[
        Rank | None, Meta(description="Place of the product in the list that the shopper saw. The first place is 1.")
    ] = None
    quantity: Annotated[Quantity | None, Meta(description="Number of pieces put into the cart or bought.")] = None
    value: Annotated[Value | None, Meta(description="Price of these pieces in all.")] = None
    currency: Annotated[Currency | None, Meta(description="ISO 4217 code of `value`.")] = None

    def fault(self) -> str | None:
        """Returns why the event cannot be stored, or None."""
        texts = (self.visitor, self.session, self.search_id, self.catalog, self.query, self.sku)
        if any("\0" in (each or "") for each in texts):
            return "a text contains a NUL character"
        if self.time is not None and self.time > datetime.now(UTC) + _FUTURE:
            return "time is more than a day in the future"
        return None

    def fault_in_v1(self, known: set[str]) -> str | None:
        """Returns why version 1 does not store the event, or None. `known` has the catalogs that exist."""
        if not any((self.sku, self.search_id, (self.query or "").strip())):
            return "an event needs sku, search_id or query"
        if self.time is not None and self.time < datetime.now(UTC) - _PAST:
            return "time is more than ten years ago"
        if self.catalog not in known:
            return f"there is no catalog {self.catalog}"
        return None

    def stored(self) -> events.Event:
        values = msgspec.structs.asdict(self)
        time, value = values.pop("time"), values.pop("value")
        return events.Event(**values, occurred_at=time, value=None if value is None else Decimal(str(value)))


class EventsIn(msgspec.Struct, forbid_unknown_fields=True):
    events: Annotated[list[Annotated[msgspec.Raw, shown_as(EventIn)]], Meta(min_length=1, max_length=1000)]


class RefusedEvent(msgspec.Struct):
    place: Annotated[int, Meta(description="The event's place in the request. The first event has the place 0.")]
    reason: str


class Recorded(msgspec.Struct, omit_defaults=True):
    recorded: int
    refused: Annotated[list[RefusedEvent], Meta(description="The events that are not recorded.")] = []


@post(
    "/events",
    operation_id="recordEvents",
    opt={"scope": "search", "strict": True, IDEMPOTENT: True},
    status_code=201,
    security=KEY,
    tags=["Events"],
    responses=answers(Recorded, *BODY, *KEYED, *REPEATABLE, status=201),
)
async def record_events(
    request: Request[Any, Any, Any],
    state: State,
    data: JSONBody[EventsIn],
) -> Recorded:
    """Record up to 1,000 events of shoppers. An event that cannot be recorded is listed in `refused`. If none can be
    recorded, or if the key does not allow the catalog of an event, the request is refused."""
    items = read_items(data.events, EventIn)
    is_v1 = request.scope["path"].startswith("/v1/")
    limits = KeyLimits.of(request)
    for item in items:
        if isinstance(item, EventIn):
            limits.check_catalog(item.catalog)

    def write(conn: Connection) -> Recorded:
        named = {item.catalog for item in items if isinstance(item, EventIn) and item.fault() is None}
        known = catalogs.existing(conn, named) if is_v1 else set()
        rows: list[events.Event] = []
        refused: list[RefusedEvent] = []
        for place, item in enumerate(items):
            if isinstance(item, Refused):
                refused.append(RefusedEvent(place, item.reason))
            elif fault := item.fault() or (item.fault_in_v1(known) if is_v1 else None):
                refused.append(RefusedEvent(place, fault))
            else:
                rows.append(item.stored())
        if not rows:
            raise ApiError("invalid", f"No event of the list can be recorded. The first event: {refused[0].reason}.")
        events.record(conn, rows)
        return Recorded(len(rows), refused)

    recorded: Recorded = await state.pools.write(request, write)
    return recorded
