-- Tells whether another session has waited for a lock of this session for 200 ms. A session that needs a table for
-- itself does not count, because it also waits for locks that this session keeps until its transaction ends. p_own has
-- the ids of the transaction and its savepoints that have written before the call. A session that waits for one of
-- these ids does not count either. If p_own is not empty, a session that waits for a table does not count.
create or replace function shop_private.somebody_waits(p_own xid[])
returns boolean
language sql volatile set search_path = pg_catalog, pg_temp as $$
    select exists (
        select from pg_locks l
        where not l.granted and l.locktype in ('transactionid', 'relation') and l.mode <> 'AccessExclusiveLock'
            and l.transactionid <> all(p_own) and l.waitstart < clock_timestamp() - interval '200 ms'
            and pg_backend_pid() = any(pg_blocking_pids(l.pid)))
$$;
