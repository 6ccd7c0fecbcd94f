"""Defines an operation that changes the computation of `shop.product.keywords` while searches and loads continue.

    op.replace_keywords("create or replace function shop_private.keywords(...) ...")

The operation replaces the function that computes the generated column. It then writes the rows whose keywords change,
in small transactions. If many rows have changed, it builds a new index beside the old index. If there are products, the
operation ends the revision's transaction. After an interruption, the operation can be run again: a row whose keywords
are right is not written. The operation reports progress to the `progress` option of Alembic's context.
"""

import time
from uuid import UUID

from alembic.operations import MigrateOperation, Operations
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db.errors import DatabaseError
from migrations.operations.indexes import lock_timeout
from migrations.operations.script import is_script, run_if_found, run_raw

ROWS = 500  # each transaction writes at most this many rows, so that it holds row locks for well below a second
WORTH_REBUILDING = 1_000  # from this many written rows on, the index is built again, to drop the entries of old rows
REPORT_SECONDS = 2.0  # least time between two reports of progress
LOCK_SECONDS = 300.0  # time limit of the wait for a moment in which no statement writes products
INDEX = "product_keywords_idx"


@Operations.register_operation("replace_keywords")
class ReplaceKeywords(MigrateOperation):
    def __init__(self, function: str) -> None:
        self.function = function

    @classmethod
    def replace_keywords(cls, operations: Operations, function: str) -> None:
        """Replace `shop_private.keywords` by `function`, which is SQL, and compute the keywords of every product."""
        operations.invoke(cls(function))

    def reverse(self) -> MigrateOperation:
        raise NotImplementedError("the downgrade of a revision must define the earlier function again")


@Operations.implementation_for(ReplaceKeywords)
def _replace_keywords(operations: Operations, operation: ReplaceKeywords) -> None:
    if is_script(operations):
        _write_script(operations, operation.function)
        return
    bind = operations.get_bind()
    if bind.scalar(text("select 1 from shop.product limit 1")) is None:
        operations.execute(operation.function)
        return
    with operations.get_context().autocommit_block():
        _replace_function(operations, operation.function)
        with lock_timeout(operations, "0"):  # a batch may wait for rows that a load has locked
            operations.execute("set statement_timeout = 0")
            written = _write_rows(operations)
            if written >= WORTH_REBUILDING:
                _rebuild_index(operations)
            if written:
                # refresh_common_words reads the statistics of ANALYZE to find the common words.
                operations.execute("analyze shop.product")
                operations.execute("select shop_private.refresh_common_words()")


def _replace_function(operations: Operations, function: str) -> None:
    """Replace the function at a moment in which no statement writes products. Later statements use the new function.

    The lock blocks writers but not searches. While the session waits for the lock, later writers queue behind it. So
    each wait lasts only half a second, and writers can continue between two waits.
    """
    statement = _locked(function)
    deadline = time.monotonic() + LOCK_SECONDS
    with lock_timeout(operations, "500ms"):
        while True:
            try:
                operations.get_bind().exec_driver_sql(statement, execution_options={"no_parameters": True})
                return
            except (DatabaseError, DBAPIError) as error:
                state = getattr(error, "sqlstate", None) or getattr(getattr(error, "orig", None), "sqlstate", None)
                if state != "55P03" or time.monotonic() > deadline:
                    raise
                time.sleep(0.5)


# Rows are locked in the order of product_id, as in a load. Setting `language` to its own value computes the
# keywords again and fires no trigger, because no trigger depends on `language`.
_STATEMENT = """
    with batch as (
        select p.product_id from shop.product p
        where p.product_id > {after} order by p.product_id limit {rows}
    ), stale as (
        select p.product_id from batch b join shop.product p using (product_id)
        where p.keywords is distinct from shop_private.keywords(p.language, p.sku, p.title, p.brand, p.product_type,
            p.color, p.material, p.gtin, p.mpn, p.description, p.attributes)
        order by p.product_id for no key update of p
    ), written as (
        update shop.product p set language = p.language from stale s where p.product_id = s.product_id returning 1
    )
    select (select product_id from batch order by product_id desc limit 1), (select count(*) from batch),
        (select count(*) from written)
"""
_BATCH = text(_STATEMENT.format(after="cast(:after as uuid)", rows=":rows"))


def _write_rows(operations: Operations) -> int:
    bind = operations.get_bind()
    progress = operations.get_context().opts.get("progress") or (lambda _: None)
    about = bind.scalar(text("select greatest(reltuples, 0) from pg_class where oid = 'shop.product'::regclass"))
    after, read, written, reported = UUID(int=0), 0, 0, 0.0
    while True:
        last, rows, changed = bind.execute(_BATCH, {"after": after, "rows": ROWS}).one()
        if last is None:
            return written
        after, read, written = last, read + rows, written + changed
        if time.monotonic() - reported > REPORT_SECONDS:
            progress(f"filling keywords: {read:,} of about {max(about, read):,.0f} products")
            reported = time.monotonic()


def _rebuild_index(operations: Operations) -> None:
    """Build a new index beside the old index. A deferred index does not exist, so nothing is built."""
    bind = operations.get_bind()
    left = bind.scalars(
        text(
            "select c.relname from pg_index i join pg_class c on c.oid = i.indexrelid "
            "where i.indrelid = 'shop.product'::regclass and not i.indisvalid and c.relname ~ :name"
        ),
        {"name": f"^{INDEX}_ccn?(ew|old)[0-9]*$"},
    ).all()
    for name in left:  # an interrupted rebuild left these indexes behind
        operations.execute(f"drop index concurrently if exists shop.{name}")
    if bind.scalar(text("select to_regclass(:name)"), {"name": f"shop.{INDEX}"}) is not None:
        operations.execute(f"reindex index concurrently shop.{INDEX}")


def _locked(function: str) -> str:
    return f"do $lock$ begin lock table shop.product in share mode; execute $function${function}$function$; end $lock$"


def _write_script(operations: Operations, function: str) -> None:
    """Write the steps as SQL. The block that writes the rows commits after each batch.

    The size of the table, not the number of written rows, decides whether the script builds the index again.
    """
    batch = _STATEMENT.format(after="after_id", rows=ROWS)
    size = "(select greatest(reltuples, 0) from pg_class where oid = 'shop.product'::regclass)"
    with operations.get_context().autocommit_block():
        run_raw(operations, _locked(function))
        run_raw(operations, "set lock_timeout = 0")
        run_raw(
            operations,
            f"""do $batches$
declare
    after_id uuid := '00000000-0000-0000-0000-000000000000';
    last_id uuid;
    read bigint;
    written bigint;
    total bigint := 0;
begin
    loop
        execute $batch${batch.replace("after_id", "$1")}$batch$ into last_id, read, written using after_id;
        exit when last_id is null;
        after_id := last_id;
        total := total + written;
        commit;
    end loop;
    if total > 0 then
        analyze shop.product;
        perform shop_private.refresh_common_words();
    end if;
end $batches$""",
        )
        run_if_found(
            operations,
            f"select 'reindex index concurrently shop.{INDEX}' where to_regclass('shop.{INDEX}') is not null "
            f"and {size} >= {WORTH_REBUILDING}",
        )
        run_raw(operations, "set lock_timeout = '5s'")
