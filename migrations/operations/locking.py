"""Locks the tables of the catalog for a migration, so that it cannot deadlock with a load or an encoder.

A load locks shop.product, then shop_private.work and shop.product_image. An encoder locks shop_private.work first.
So no order of locks suits both. A migration therefore waits long only for its first table, while it holds no lock on
the other tables. If it does not get a further lock within 200 ms, it releases all locks and begins again. A wait of
`deadlock_timeout` (1 s) would be too long, because PostgreSQL then looks for deadlocks and ends one of the sessions.
"""

from collections.abc import Collection

TABLES = ("shop.product", "shop.product_image", "shop_private.work")
SHARE_ROW_EXCLUSIVE = "share row exclusive"  # excludes writers; CREATE TRIGGER and REFERENCES take this lock
ACCESS_EXCLUSIVE = "access exclusive"  # excludes readers too; DROP TABLE takes it on tables that a foreign key names
ATTEMPTS = 20  # each attempt waits for the first table up to `lock_timeout`, which is 5 s in a migration


def lock_in_order(mode: str, tables: Collection[str] = TABLES) -> str:
    """Return the statement that locks those of `tables` that are in TABLES, in the lock mode `mode`. At least one of
    them must be in TABLES.

    The statement gets either all locks or none. If all attempts fail, it raises lock_not_available. The locks last
    until the transaction ends.
    """
    first, *others = [f"lock table {table} in {mode} mode" for table in TABLES if table in tables]
    further = "".join(f"            {lock};\n" for lock in others)
    return f"""do $lock$
declare
    before constant text := current_setting('lock_timeout');
begin
    for attempt in 1..{ATTEMPTS} loop
        begin
            {first};
            perform set_config('lock_timeout', '200ms', true);
{further}            perform set_config('lock_timeout', before, true);
            return;
        exception when lock_not_available then
            if attempt = {ATTEMPTS} then
                raise;
            end if;
        end;
        perform pg_sleep(0.1);
    end loop;
end $lock$"""
