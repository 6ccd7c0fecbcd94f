-- Tells whether another session has waited for a lock of this session for 200 ms. Three kinds of waits do not count:
--
--   (1) a wait for an ACCESS EXCLUSIVE lock, because a session with such a wait also waits for locks that this session
--       keeps until its transaction ends;
--   (2) a wait for a transaction id in p_own: this session had written under this id before the call of shop.what_if;
--   (3) if p_own is not empty, every wait for a table (such a lock has no transaction id to compare with p_own).
create or replace function shop_private.somebody_waits(p_own xid[])
returns boolean
language sql volatile set search_path = pg_catalog, pg_temp as $$
    select exists (
        select from pg_locks l
        where not l.granted and l.locktype in ('transactionid', 'relation') and l.mode <> 'AccessExclusiveLock'
            and l.transactionid <> all(p_own) and l.waitstart < clock_timestamp() - interval '200 ms'
            and pg_backend_pid() = any(pg_blocking_pids(l.pid)))
$$;
