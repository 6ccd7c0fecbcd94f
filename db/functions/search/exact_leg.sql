-- The nearest products by one kind of vector (p_part: image or title; p_table has them), by comparing all that meet the
-- condition on p (shop.product), or all of p_matched where the router collected them for the serving model, looked up in the
-- order of the index: each product once, with its
-- nearest picture. The "+ 0" keeps the HNSW index, which would be the wrong one here, away from the ordering.
--
-- Vectors that are searched are in memory, or nothing would be fast: reading one by its key costs less beside reading
-- one in passing than PostgreSQL's figures for disks say.
create or replace function shop_private.exact_leg(
    p_part text, p_vector @vector@.halfvec, p_condition text, p_matched uuid[], p_depth integer,
    p_rows_per_product double precision, p_table regclass
)
returns shop_private.leg
language plpgsql stable
set search_path = pg_catalog, pg_temp
set random_page_cost = 1.8
set plan_cache_mode = force_generic_plan
set jit = off
as $$
declare
    found shop_private.leg;
    began constant timestamptz := clock_timestamp();
    counted bigint := case when p_matched is null then shop_private.rows_read(p_table) end;
    near shop_private.near[];
    take integer := ceil(p_depth * greatest(1, least(p_rows_per_product, 100)));
    statement constant text := format('select array_agg((n.product_id, n.position, n.distance)::shop_private.near) from (
        select i.product_id, %s as position, (i.embedding operator(@vector@.<=>) $1) + 0 as distance
        from %s i join shop.product p on p.product_id = i.product_id where %s order by distance limit $2) n',
        case p_part when 'image' then 'i.position' else '0::smallint' end, p_table, p_condition);
begin
    loop
        exit when p_matched = '{}';
        if p_matched is null then
            execute statement into near using p_vector, take;
        elsif p_part = 'image' then  -- a plan that is kept: to make one takes as long as to compare twenty
            select array_agg((n.product_id, n.position, n.distance)::shop_private.near) into near from (
                select i.product_id, i.position, (i.embedding operator(@vector@.<=>) p_vector) + 0 as distance
                from shop.image_vector i where i.product_id = any(p_matched) order by distance limit take) n;
        else
            select array_agg((n.product_id, n.position, n.distance)::shop_private.near) into near from (
                select i.product_id, i.position, (i.embedding operator(@vector@.<=>) p_vector) + 0 as distance
                from shop.title_vector i where i.product_id = any(p_matched) order by distance limit take) n;
        end if;
        found := shop_private.leg_of(near, p_depth);
        exit when cardinality(found.product_ids) >= p_depth or coalesce(cardinality(near), 0) < take;
        take := take * 2;
    end loop;
    found.route := 'exact';
    found.examined := coalesce(shop_private.rows_read(p_table) - counted, cardinality(p_matched));
    found.ms := extract(epoch from clock_timestamp() - began) * 1000;
    return found;
end $$;

-- Rows of a table this transaction has read so far, in passing or by an index.
create or replace function shop_private.rows_read(p_table regclass)
returns bigint
language sql stable parallel restricted set search_path = pg_catalog, pg_temp as $$
    select pg_stat_get_xact_tuples_returned(p_table)
        + (select sum(pg_stat_get_xact_tuples_fetched(i.indexrelid)) from pg_index i where i.indrelid = p_table)::bigint
$$;
