"""Reads the indexes and tables of search into memory, so that the first searches after a restart are not slow.

The extension pg_prewarm reads the pages. `windowshop db upgrade` creates the extension if the server has it and the
login is a superuser.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, text

from db.engine import Database
from db.roles import Role

PART_PAGES = 8_192  # pages that are read between two reports of the progress: 64 MB

Progress = Callable[[str, float], None]  # arguments: the relation that is being read, the completed share of all pages


@dataclass(frozen=True, slots=True)
class Relation:
    name: str
    pages: int


@dataclass(frozen=True, slots=True)
class Warmed:
    relations: list[str]  # read completely
    left_out: list[str]  # the first relation that does not fit into memory any more, and all after it
    bytes: int
    available: bool  # False: the database does not have pg_prewarm, so nothing was read


# The relations that searches need most come first.
_RELATIONS = text(
    """
    select r.oid::regclass::text, pg_relation_size(r.oid) / current_setting('block_size')::integer
    from shop_private.serving() s
    cross join lateral (
        select i.indexrelid, 1 from pg_index i join pg_class c on c.oid = i.indexrelid
        join pg_am a on a.oid = c.relam and a.amname in ('hnsw', 'ivfflat')
        where i.indrelid in (s.image_table, s.title_table) and i.indisvalid
        union all
        select i.indexrelid, 2 from pg_index i where i.indrelid = 'shop.product'::regclass and i.indisvalid
        union all
        select 'shop.product'::regclass::oid, 3
        union all
        select t.oid::oid, 4 from unnest(array[s.image_table, s.title_table]) t(oid) where t.oid is not null
        union all
        select r.oid, r.place from unnest('{image,title}'::text[]) part
        join pg_class t on t.oid = to_regclass('shop.' || quote_ident(s.model || '_' || part || '_label'))
        cross join lateral (
            select i.indexrelid, 5 from pg_index i join pg_class c on c.oid = i.indexrelid
            join pg_am a on a.oid = c.relam and a.amname = 'hnsw'
            where i.indrelid = t.oid and i.indisvalid
            union all select t.oid, 6) r(oid, place)
    ) r(oid, place)
    order by r.place, 1"""
)
# Pages of shared memory, and pages that PostgreSQL and the operating system cache together. Both settings count pages.
_MEMORY = text(
    "select name, setting::bigint as setting from pg_settings where name in ('shared_buffers', 'effective_cache_size')"
)


def warm(
    database: Database,
    role: Role = Role.ANALYST,
    on_progress: Progress = lambda _name, _share: None,
    stop: threading.Event | None = None,
) -> Warmed:
    """Read the relations of search into memory, the most needed first. `stop` ends the work after the present part.

    The first relation that no longer fits into effective_cache_size and all relations after it are not read, because
    they would evict pages that were read before. If all pages that are read fit into shared_buffers, they are read into
    shared_buffers, and otherwise into the cache of the operating system.
    """
    with database.connect(role, read=True) as connection:
        conn = connection.execution_options(isolation_level="AUTOCOMMIT")
        memory = {row.name: row.setting for row in conn.execute(_MEMORY)}
        relations = [Relation(*row) for row in conn.execute(_RELATIONS)]
        wanted = fitting(relations, memory["effective_cache_size"])
        total = sum(relation.pages for relation in wanted)
        mode = "buffer" if total <= memory["shared_buffers"] else "read"
        done = 0
        read: list[str] = []
        for relation in wanted:
            for first in range(0, relation.pages, PART_PAGES):
                if stop is not None and stop.is_set():
                    return _warmed(read, relations, wanted, done)
                on_progress(relation.name, done / max(1, total))
                last = min(first + PART_PAGES, relation.pages) - 1
                if not _read(conn, relation.name, mode, first, last):
                    return Warmed([], [], 0, available=False)
                done += last - first + 1
            read.append(relation.name)
    return _warmed(read, relations, wanted, done)


def fitting(relations: list[Relation], pages: int) -> list[Relation]:
    """Return the first relations, in order, whose pages fit together."""
    fits, used = [], 0
    for relation in relations:
        used += relation.pages
        if used > pages:
            break
        fits.append(relation)
    return fits


def _warmed(read: list[str], relations: list[Relation], wanted: list[Relation], pages: int) -> Warmed:
    return Warmed(read, [one.name for one in relations[len(wanted) :]], pages * 8192, available=True)


def _read(conn: Connection, name: str, mode: str, first: int, last: int) -> bool:
    return bool(
        conn.scalar(
            text("select shop_private.warm_pages(to_regclass(:name), :mode, :first, :last)"),
            {"name": name, "mode": mode, "first": first, "last": last},
        )
    )
