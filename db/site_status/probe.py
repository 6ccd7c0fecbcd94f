"""Encodes a new text and searches with it, in the same way as a customer's search."""

import secrets
import time
from contextlib import suppress

from sqlalchemy import Connection, text

from db.catalog.catalogs import DEFAULT, default_catalog
from db.engine import Database
from db.errors import DatabaseError
from db.search.ranking import SearchParams, search
from db.site_status.finding import Finding, broken, fine, runbook
from db.site_status.settings import StatusSettings

RESULTS = 10


def probe(database: Database, settings: StatusSettings) -> Finding:
    """Encode and search over the read address. Then delete the text from the query cache. An error of this deletion is
    ignored, and the text stays in the cache."""
    query = f"windowshop status {secrets.token_hex(8)}"
    try:
        with database.connect(None, read=True) as conn:
            return _search(conn, query, settings.probe_ms)
    except DatabaseError as error:
        fix = f"{error.hint or ''} {runbook('NoEncoder')}".strip()
        return broken("probe", f"a search for a new text failed: {error.message}", fix)
    finally:
        with suppress(DatabaseError), database.connect(None) as conn, conn.begin():
            conn.execute(text("set local synchronous_commit = off"))  # a synchronous standby may not answer
            conn.execute(text(f"set local statement_timeout = {settings.probe_ms}"))
            conn.execute(text("delete from shop_private.query_embedding where query = :query"), {"query": query})


def _search(conn: Connection, query: str, most_ms: int) -> Finding:
    conn.execute(text("set transaction read only"))
    conn.execute(text(f"set local statement_timeout = {most_ms + 1000}"))
    conn.execute(text(f"set local shop.timeout_ms = {most_ms}"))
    began = time.perf_counter()
    conn.execute(text("select shop.clip_text(:query)"), {"query": query})
    encoded = time.perf_counter()
    conn.execute(text(f"set local statement_timeout = {most_ms}"))
    catalog = default_catalog(conn) or DEFAULT
    found = search(conn, SearchParams(query=query, catalog=catalog, k=RESULTS))
    done = time.perf_counter()
    if not found.rows and conn.scalar(
        text("select exists (select from shop.searchable where catalog = :c)"), {"c": catalog}
    ):
        return broken("probe", f"a search in catalog {catalog} found nothing", runbook("SearchesDegraded"))
    return fine(
        "probe",
        f"a new text was encoded in {1000 * (encoded - began):.0f} ms, and a search with it found {len(found.rows)} "
        f"products in {1000 * (done - encoded):.0f} ms",
    )
