-- Returns the recall of p_found: the share of the ids in p_truth that are also in p_found. The recall is 1 if p_truth
-- is empty.
create or replace function shop_private.recall_of(p_found uuid[], p_truth uuid[])
returns double precision
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
    select case when cardinality(p_truth) > 0
        then (select count(*) from unnest(p_truth) t where t = any(p_found)) / cardinality(p_truth)::double precision
        else 1 end
$$;
