-- Returns the valid HNSW index of a table, or null. While one index replaces another, the table has two; the function
-- then returns the newer index. PL/pgSQL keeps the plan for the session; an SQL function would plan at each call.
create or replace function shop_private.hnsw_index(relation regclass)
returns regclass
language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
    return (
        select i.indexrelid::regclass from pg_index i
        join pg_class c on c.oid = i.indexrelid
        join pg_am a on a.oid = c.relam
        where i.indrelid = relation and a.amname = 'hnsw' and i.indisvalid
        order by i.indexrelid desc limit 1);
end $$;
