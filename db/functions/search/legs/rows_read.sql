-- Returns how many rows of a table this transaction has read so far, by a scan of the table or through an index.
create or replace function shop_private.rows_read(p_table regclass)
returns bigint
language sql stable parallel restricted set search_path = pg_catalog, pg_temp as $$
    select pg_stat_get_xact_tuples_returned(p_table)
        + (select sum(pg_stat_get_xact_tuples_fetched(i.indexrelid)) from pg_index i where i.indrelid = p_table)::bigint
$$;
