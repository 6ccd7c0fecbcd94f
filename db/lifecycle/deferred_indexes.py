"""Defers indexes while a table is filled for the first time, and builds them afterwards.

Building an index on a filled table takes a fraction of the time that maintaining the index during a load takes.
`shop.deferred_index` holds the definition of each deferred index. The load or the encoder that deferred an index also
builds the index. If that process was killed, the next load builds the indexes of products, the next encoder those of
vectors, and `windowshop index build` all of them. Until then, searches do without these indexes.

A first load also defers the foreign keys in PRODUCT_KEYS, because PostgreSQL checks the key of each inserted row
separately. These checks take a seventh of the time that the database spends on the load. The process that builds the
deferred indexes also adds the foreign keys again. While a foreign key is missing, the trigger of
db/functions/catalog/products_deleted.sql deletes the rows of deleted products.

Only a login with the rights of the owner defers indexes, because only such a login can build them.
"""

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, text

from db import schema
from db.engine import Database
from db.errors import DatabaseError
from db.lifecycle import label_indexes
from db.lifecycle.indexes import progress_of
from db.lifecycle.sizing import index_lists
from db.locks import Lock, hold

PRODUCT_INDEXES = (
    "product_attributes_idx",
    "product_brand_idx",
    "product_brand_key_idx",
    "product_currency_idx",
    "product_identifier_idx",
    "product_item_group_id_idx",
    "product_keywords_idx",
    "product_price_idx",
    "product_product_type_idx",
    "product_sale_price_idx",
    "product_title_start_idx",
    "product_title_trgm_idx",
)
# For each foreign key: its table, and the condition that finds the rows whose product or model is missing.
PRODUCT_KEYS = {
    "product_image_product_id_fkey": (
        "shop.product_image",
        "product_id not in (select product_id from shop.product)",
    ),
    "work_model_id_fkey": ("shop_private.work", "model_id not in (select model_id from shop.model)"),
    "work_product_id_fkey": ("shop_private.work", "product_id not in (select product_id from shop.product)"),
}
FEW = 1_000  # up to this many vectors, an exact scan is as fast as the index
MANY = 20_000  # from this many waiting vectors on, a separate index build is worthwhile
MOST_MEMORY = 2 << 20  # the largest maintenance_work_mem that `raise_memory` sets, in kB
POLL_SECONDS = 0.5  # time between two reports of the progress of a build
FOREIGN_KEY = "23503"  # SQLSTATE: a row breaks a foreign key
NO_MEMORY = ("53100", "53200")  # SQLSTATEs: disk full (or shared memory full), and out of memory

Progress = Callable[[str, str, float], None]  # arguments: index, phase, completed share of the phase


@dataclass(frozen=True, slots=True)
class Deferred:
    name: str
    table: str
    definition: str


def deferred(conn: Connection) -> list[Deferred]:
    found = conn.execute(
        text("select name, table_name, definition from shop.deferred_index order by deferred_at, name")
    )
    return [Deferred(*row) for row in found]


def defer_product_indexes(database: Database) -> bool:
    """Defer the indexes in PRODUCT_INDEXES and the foreign keys in PRODUCT_KEYS if no product exists. Returns whether
    they are deferred."""
    return _defer(database, "product", PRODUCT_INDEXES, "select 1 from shop.product limit 1", tuple(PRODUCT_KEYS))


def defer_vectors(database: Database, model_ids: Sequence[int]) -> list[str]:
    """Defer the HNSW indexes of nearly empty tables that will receive many vectors. Returns the names of the indexes.

    An encoder calls this function before it starts to encode the catalog.
    """
    if not may_build(database):
        return []
    with database.connect(None) as conn, conn.begin():
        schema.check(conn)
        waiting = conn.execute(
            text(
                "select m.name, w.part::text from shop_private.work w join shop.model m using (model_id) "
                "where w.model_id = any(:models) and w.state = 'pending' group by 1, 2 having count(*) >= :many"
            ),
            {"models": list(model_ids), "many": MANY},
        ).all()
    names = []
    for model, part in waiting:
        table = f"{model}_{part}"
        name = f"{table}_hnsw"
        if _defer(database, table, (name,), f'select 1 from shop."{table}" offset {FEW} limit 1'):
            names.append(name)
    return names


def build(
    database: Database, names: Sequence[str] | None = None, on_progress: Progress = lambda _name, _phase, _share: None
) -> list[str]:
    """Build the deferred indexes and add the deferred foreign keys, or only those in `names`. Returns the names of the
    indexes that were built and of the foreign keys that were added.

    If another session is doing this, nothing is built or added. Searches, loads and encoders continue during a build.
    Raises DatabaseError if the login may not build indexes.
    """
    engine = database.engine(None).execution_options(isolation_level="AUTOCOMMIT")
    built = []
    with engine.connect() as conn:
        schema.check(conn)
        if not deferred(conn) or not hold(conn, Lock.INDEX_BUILD, database.roles.owner):
            return []
        wanted = [
            index for index in deferred(conn) if names is None or index.name in names
        ]  # read again, because another session may have built some of the indexes in the meantime
        if not wanted:
            return []
        if not _has_rights_of_owner(conn, database):
            raise DatabaseError(
                f"this login may not build indexes; deferred: {', '.join(index.name for index in wanted)}",
                hint='Run "windowshop index build" with the address that "windowshop db upgrade" uses.',
            )
        conn.execute(text("set lock_timeout = 0"))  # no limit, because a timeout would leave an INVALID index
        conn.execute(text("set statement_timeout = 0"))
        for table in dict.fromkeys(index.table for index in wanted if index.table.endswith("_label")):
            label_indexes.fill(conn, table, on_progress)
        for index in wanted:
            with _watched(database, index.name, on_progress):
                _build(conn, index)
            built.append(index.name)
    return built


def build_vectors(
    database: Database, model_ids: Sequence[int], on_progress: Progress = lambda _name, _phase, _share: None
) -> list[str]:
    """Build the deferred HNSW indexes of these models. An encoder calls this function when its work list is empty."""
    with database.connect(None) as conn:
        names = conn.scalars(
            text(
                "select d.name from shop.deferred_index d join shop.model m "
                "on d.table_name in (m.name || '_image', m.name || '_title', m.name || '_image_label', "
                "m.name || '_title_label') where m.model_id = any(:models)"
            ),
            {"models": list(model_ids)},
        ).all()
        if not names or not _has_rights_of_owner(conn, database):
            return []
    return build(database, names, on_progress)


def may_build(database: Database) -> bool:
    with database.connect(None) as conn:
        return _has_rights_of_owner(conn, database)


def _defer(database: Database, table: str, names: Sequence[str], has_rows: str, keys: Sequence[str] = ()) -> bool:
    """Drop the indexes and foreign keys and store their definitions. Returns False without a change if `has_rows` finds
    a row, if a table is locked, or if the login may not build indexes."""
    if not may_build(database):
        return False
    with database.connect(None) as conn:
        try:
            with conn.begin():
                schema.check(conn)
                conn.execute(text("set local search_path = pg_catalog"))  # so that definitions name every schema
                conn.execute(text("set local lock_timeout = '500ms'"))
                if conn.scalar(text(has_rows)) is not None:
                    return False
                conn.execute(text(f'lock table shop."{table}" in access exclusive mode'))
                if conn.scalar(text(has_rows)) is not None:  # another session inserted a row while we waited
                    return False
                conn.execute(_NOTE, {"table": table, "names": list(names)})
                for name in names:
                    conn.execute(text(f'drop index if exists shop."{name}"'))
                for name in conn.scalars(_NOTE_KEYS, {"table": table, "names": list(keys)}).all():
                    conn.execute(text(f"alter table {PRODUCT_KEYS[name][0]} drop constraint {name}"))
        except DatabaseError as error:
            if error.sqlstate != "55P03":  # a search or load locks the table, so its indexes stay
                raise
            return False
    return True


_NOTE = text(
    "insert into shop.deferred_index (name, table_name, definition) "
    "select c.relname, cast(:table as text), pg_get_indexdef(c.oid) from pg_class c "
    "where c.relnamespace = 'shop'::regnamespace and c.relname = any(:names) on conflict (name) do nothing"
)


_NOTE_KEYS = text(
    "insert into shop.deferred_index (name, table_name, definition) "
    "select c.conname, cast(:table as text), format('ALTER TABLE %s ADD CONSTRAINT %I %s', c.conrelid::regclass, "
    "c.conname, pg_get_constraintdef(c.oid)) from pg_constraint c where c.contype = 'f' "
    "and c.connamespace in ('shop'::regnamespace, 'shop_private'::regnamespace) and c.conname = any(:names) "
    # Keys are deferred only if this trigger exists. Without it, the images of a deleted product would stay.
    "and exists (select from pg_trigger where tgrelid = 'shop.product'::regclass and tgname = 'product_deleted') "
    "on conflict (name) do nothing returning name"
)


def _add_key(conn: Connection, key: Deferred) -> None:
    """Add a foreign key again. ADD ... NOT VALID does not scan the table. VALIDATE scans it while loads continue."""
    table, broken = PRODUCT_KEYS[key.name]
    exists = text("select 1 from pg_constraint where conname = :name and conrelid = to_regclass(:table)")
    if conn.scalar(exists, {"name": key.name, "table": table}) is None:
        conn.exec_driver_sql(f"{key.definition} NOT VALID", execution_options={"no_parameters": True})
    validate = text(f"alter table {table} validate constraint {key.name}")
    try:
        conn.execute(validate)
    except DatabaseError as error:
        if error.sqlstate != FOREIGN_KEY:
            raise
        # A model was deleted, or TRUNCATE emptied shop.product, while the foreign key was missing.
        conn.execute(text(f"delete from {table} where {broken}"))
        conn.execute(validate)
    conn.execute(text("delete from shop.deferred_index where name = :name"), {"name": key.name})


def _build(conn: Connection, index: Deferred) -> None:
    if index.name in PRODUCT_KEYS:
        _add_key(conn, index)
        return
    concurrently = index.definition.replace("CREATE INDEX", "create index concurrently if not exists", 1)
    if conn.scalar(text("select to_regclass(:table)"), {"table": f'shop."{index.table}"'}) is not None:
        if "USING ivfflat" in concurrently:  # the definition has the number of lists of an earlier build
            rows = conn.scalar(text(f'select count(*) from shop."{index.table}"')) or 0
            concurrently = re.sub(r"lists='?\d+'?", f"lists='{index_lists(rows)}'", concurrently)
        _drop_invalid(conn, index.name)
        raise_memory(conn, index.table)
        try:
            conn.exec_driver_sql(concurrently, execution_options={"no_parameters": True})
        except DatabaseError as error:
            if error.sqlstate not in NO_MEMORY:
                raise
            # The shared memory may be too small for parallel workers. A single process needs no shared memory.
            conn.execute(text("set max_parallel_maintenance_workers = 0"))
            _drop_invalid(conn, index.name)
            conn.exec_driver_sql(concurrently, execution_options={"no_parameters": True})
    conn.execute(text("delete from shop.deferred_index where name = :name"), {"name": index.name})


def _drop_invalid(conn: Connection, name: str) -> None:
    """Drop the INVALID index that an interrupted build may have left behind."""
    valid = text("select indisvalid from pg_index where indexrelid = to_regclass(:name)")
    if conn.scalar(valid, {"name": f'shop."{name}"'}) is False:
        conn.execute(text(f'drop index concurrently shop."{name}"'))


def raise_memory(conn: Connection, table: str) -> None:
    """Raise the session's maintenance_work_mem to twice the size of shop.`table`, but to at most MOST_MEMORY.

    An HNSW graph takes up to twice the size of its table. If the graph does not fit into the memory, the build takes
    three times as long. A higher setting of the server is kept.
    """
    conn.execute(
        text(
            "select set_config('maintenance_work_mem', greatest(s.setting::bigint, least(:most, "
            "2 * pg_relation_size(to_regclass(:table)) / 1024))::text || 'kB', false) "
            "from pg_settings s where s.name = 'maintenance_work_mem'"
        ),
        {"table": f'shop."{table}"', "most": MOST_MEMORY},
    )


@contextmanager
def _watched(database: Database, name: str, on_progress: Progress) -> Iterator[None]:
    """Report the progress of a build, from a second connection."""
    done = threading.Event()

    def watch() -> None:
        with database.connect(None) as conn:
            while not done.wait(POLL_SECONDS):
                with conn.begin():
                    found = progress_of(conn, name)
                if found is not None:
                    on_progress(name, *found)

    thread = threading.Thread(target=watch, name="watch index build", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _has_rights_of_owner(conn: Connection, database: Database) -> bool:
    has = text("select pg_has_role(oid, 'usage') from pg_roles where rolname = :owner")
    return bool(conn.scalar(has, {"owner": database.roles.owner}))
