-- A vector leg by its route: through the index, or by comparing all; what the index leaves short is finished by
-- comparing all, so a leg always has p_depth products or every one that matches.
create or replace function shop_private.search_leg(
    p_part text, p_vector @vector@.halfvec, p_condition text, p_matched uuid[], p_depth integer,
    p_rows_per_product double precision, p_table regclass, p_index regclass, p_ef integer, p_scan integer
)
returns shop_private.leg
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    tried shop_private.leg;
    found shop_private.leg;
begin
    if p_ef is not null and p_index is not null then
        tried := shop_private.hnsw_leg(p_part, p_vector, p_condition, p_depth, p_rows_per_product, p_index, p_ef, p_scan);
        if cardinality(tried.product_ids) >= p_depth then
            return tried;
        end if;
    end if;
    found := shop_private.exact_leg(p_part, p_vector, p_condition, p_matched, p_depth, p_rows_per_product, p_table);
    if tried.route is not null then
        found.reason := format('%s: the index gave %s of %s in %s candidates, so all were compared', p_part,
            coalesce(cardinality(tried.product_ids), 0), p_depth, tried.examined);
        found.examined := found.examined + tried.examined;
        found.ms := found.ms + tried.ms;
    end if;
    return found;
end $$;

-- Around the nearest rows (p_rows, ordered, limit $2): the nearest row of each product, $3 of them, as arrays, and how
-- many rows there were.
create or replace function shop_private.nearest_sql(p_rows text)
returns text
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
    select 'with nearest as materialized (' || p_rows || '), best as (
        select distinct on (n.product_id) n.product_id, n.position, n.distance from nearest n
        order by n.product_id, n.distance)
    select array_agg(b.product_id order by b.distance, b.product_id),
        array_agg(b.position order by b.distance, b.product_id),
        array_agg(b.distance order by b.distance, b.product_id), (select count(*) from nearest)
    from (select * from best b order by b.distance, b.product_id limit $3) b'
$$;
