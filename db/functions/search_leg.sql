-- A vector leg by the cheaper route that is near enough; it always has p_depth products, or every one that matches.
--
-- Few matches (p_matched, collected already) are compared one by one. Without a filter the index is asked. With one, how
-- far the index has to look depends on how many matches there are around the query, which the share of all products does
-- not tell: a shopper's filter may name the neighbourhood of the query or shun it. So the neighbourhood is looked at
-- first, with a little more ef_search than an unfiltered search needs. If the matches stand at the very front, they are
-- the answer. Else their density says what ef_search would do (that of an unfiltered search, plus stretch for each
-- candidate that has to be passed over) and what that costs; up to that cost the matches are collected and compared,
-- beyond it the index is asked. Where there are none, or the index comes back short, all are compared.
--
-- p_steered false: the index is asked at once, whatever is around.
create or replace function shop_private.search_leg(
    p_part text, p_vector @vector@.halfvec, p_condition text, p_depth integer, p_rows_per_product double precision,
    p_table regclass, p_index regclass, p_settings record, p_steered boolean,
    inout p_matched uuid[], inout p_known bigint, out leg shop_private.leg
)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    s constant record := p_settings;
    wide constant integer := least(1000, greatest(s.ef_search, 2 * p_depth));  -- ef_search without a filter
    look constant integer := least(1000, ceil(1.2 * wide));
    near constant integer := p_depth + ceil((look - wide) / s.stretch);  -- so far the first look can be relied on
    tried shop_private.leg;
    ef integer := wide;
    scan integer := wide;
    spent double precision := 0;
    looked bigint := 0;
begin
    if p_matched is null and p_index is not null then
        if p_condition <> 'true' and p_steered then
            tried := shop_private.hnsw_leg(p_part, p_vector, p_condition, p_depth, p_rows_per_product, p_index, look,
                look);
            if cardinality(tried.product_ids) >= p_depth and tried.examined <= near * greatest(1, p_rows_per_product) then
                leg := tried;
                return;
            end if;
            looked := tried.examined; spent := tried.ms;
            scan := least(10000, p_depth * looked / greatest(0.01, coalesce(cardinality(tried.product_ids), 0)));
            ef := wide + ceil(s.stretch * (scan - p_depth));
            scan := ceil(1.5 * scan);  -- chance; further out the density was not that of the neighbourhood
            p_known := greatest(p_known, least(ef, 1000) * s.hnsw_us_per_candidate / s.exact_us_per_row);
            p_matched := shop_private.search_matches(p_condition, p_known, s.products);
        elsif p_condition <> 'true' then
            ef := 1000;
            scan := 1000;
        end if;
        if p_matched is null and ef <= 1000 then
            tried := shop_private.hnsw_leg(p_part, p_vector, p_condition, p_depth, p_rows_per_product, p_index, ef, scan);
            looked := looked + tried.examined; spent := spent + tried.ms;
            if cardinality(tried.product_ids) >= p_depth then
                leg := tried;
                leg.examined := looked; leg.ms := spent;
                return;
            end if;
        end if;
    end if;
    leg := shop_private.exact_leg(p_part, p_vector, p_condition, p_matched, p_depth, p_rows_per_product, p_table);
    if p_matched is null and tried.route is not null then
        leg.reason := format('%s: few of the nearest %s match, so all that match were compared', p_part, looked);
    end if;
    leg.examined := leg.examined + looked;
    leg.ms := leg.ms + spent;
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
