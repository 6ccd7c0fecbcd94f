-- Finds the p_depth nearest products by one kind of vector (p_part is image or title). p_table stores these vectors.
-- The function compares the products of p_matched or, if p_matched is null, every product that meets p_condition, a
-- condition on p (shop.product). It lists each product once, with its nearest image. Only a search with the serving
-- model may pass p_matched, because the function reads the vectors of p_matched from the views of the serving model.
-- p_rows_per_product is the mean number of rows that p_table has for a product.
--
-- The "+ 0" in the statement keeps the planner from reading the products in the order of the HNSW index.
-- random_page_cost is below PostgreSQL's default. The default is meant for reading from disks, but vectors are assumed
-- to be cached.
create or replace function shop_private.exact_leg(
    p_part text, p_vector @vector@.halfvec, p_condition text, p_matched uuid[], p_depth integer,
    p_rows_per_product double precision, p_table regclass
)
returns shop_private.leg
language plpgsql stable
set search_path = pg_catalog, pg_temp
set random_page_cost = @exact_random_page_cost@
set plan_cache_mode = force_generic_plan
set jit = off
as $$
declare
    leg shop_private.leg;
    began constant timestamptz := clock_timestamp();
    read_before constant bigint := case when p_matched is null and not row_security_active(p_table)
        then shop_private.rows_read(p_table) end;
    nearest shop_private.candidate[];
    row_limit integer := ceil(p_depth * greatest(1, least(p_rows_per_product, @max_images_per_product@)));
    statement constant text := format('select array_agg((c.product_id, c.position, c.distance)::shop_private.candidate)
        from (select i.product_id, %s as position, (i.embedding operator(@vector@.<=>) $1) + 0 as distance
            from %s i join shop.product p on p.product_id = i.product_id where %s order by distance limit $2) c',
        case p_part when 'image' then 'i.position' else '0::smallint' end, p_table, p_condition);
begin
    loop
        exit when p_matched = '{}';
        if p_matched is null then
            execute statement into nearest using p_vector, row_limit;
        elsif p_part = 'image' then  -- static SQL, because its plan is kept; planning takes as long as 20 comparisons
            select array_agg((c.product_id, c.position, c.distance)::shop_private.candidate) into nearest from (
                select i.product_id, i.position, (i.embedding operator(@vector@.<=>) p_vector) + 0 as distance
                from shop.image_vector i where i.product_id = any(p_matched) order by distance limit row_limit) c;
        else
            select array_agg((c.product_id, c.position, c.distance)::shop_private.candidate) into nearest from (
                select t.product_id, t.position, (t.embedding operator(@vector@.<=>) p_vector) + 0 as distance
                from shop.title_vector t where t.product_id = any(p_matched) order by distance limit row_limit) c;
        end if;
        leg := shop_private.leg_from_candidates(nearest, p_depth);
        exit when cardinality(leg.product_ids) >= p_depth or coalesce(cardinality(nearest), 0) < row_limit;
        row_limit := row_limit * 2;
    end loop;
    leg.route := 'exact';
    leg.rows_examined := case when read_before is null then coalesce(cardinality(p_matched),
            cardinality(leg.product_ids))  -- under row level security, the rows of hidden products do not count
        else shop_private.rows_read(p_table) - read_before end;
    leg.ms := extract(epoch from clock_timestamp() - began) * 1000;
    return leg;
end $$;
