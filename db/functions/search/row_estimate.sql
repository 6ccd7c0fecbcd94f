-- Returns an estimate of the number of rows of a table. The estimate is computed as in the planner: the number of rows
-- per page at the last ANALYZE, times the present number of pages. If the table was never analyzed, or was empty at
-- the last ANALYZE, a row is assumed to take 100 bytes and 2 bytes for each dimension of its vectors. The function has
-- no SET clause, because every search calls it. Instead, the function names the schema of each relation.
create or replace function shop_private.row_estimate(relation regclass)
returns bigint
language plpgsql stable parallel safe as $$
begin
    return (
        select pg_catalog.pg_relation_size(relation) / 8192 * case
            when c.reltuples > 0 and c.relpages > 0 then c.reltuples / c.relpages
            else 8192.0 / (select coalesce(sum(nullif(a.atttypmod, -1)), 0) * 2 + 100 from pg_catalog.pg_attribute a
                           where a.attrelid = relation and a.attname = 'embedding') end
        from pg_catalog.pg_class c where c.oid = relation);
end $$;
