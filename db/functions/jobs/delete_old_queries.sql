-- Deletes query vectors of the cache that are older than p_days days, the oldest first, at most p_rows of them. Returns
-- the number of deleted vectors. The next search for such a query has the query encoded again.
create or replace function shop_private.delete_old_queries(p_days integer, p_rows integer)
returns bigint
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    with old as materialized (
        select model_id, key from shop_private.query_embedding
        where created_at < clock_timestamp() - make_interval(days => p_days)
        order by created_at limit p_rows for update skip locked
    ), deleted as (
        delete from shop_private.query_embedding e using old o where e.model_id = o.model_id and e.key = o.key
        returning 1)
    select count(*) from deleted
$$;
