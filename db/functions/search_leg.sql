-- A vector leg by the cheaper route that is near enough; it always has p_depth products, or every one that matches.
--
-- Few matches (p_matched, collected already) are compared one by one. Without a filter the index is asked. With one, how
-- far the index has to look depends on how many matches there are around the query, which the share of all products
-- (p_share) does not tell: a shopper's filter may name the neighbourhood of the query or shun it. Where nearly half
-- match, they are taken to be everywhere, and the answer shows whether that was so. Else the neighbourhood is looked at
-- first, cheaply. The density of matches says how many candidates the index has to look at, hence the ef_search (that of
-- an unfiltered search, times a power of how many times as many candidates) and what that costs; up to that cost the
-- matches are collected and compared, beyond it the index is asked. Where there are none, or the index comes back short,
-- all are compared.
--
-- The first p_k products have the recall that was calibrated; those behind them serve the fusion. p_steered false: the
-- index is asked at once, whatever is around.
create or replace function shop_private.search_leg(
    p_part text, p_vector @vector@.halfvec, p_condition text, p_k integer, p_depth integer, p_rows_per_product double precision,
    p_table regclass, p_index regclass, p_settings record, p_steered boolean, p_share double precision,
    inout p_matched uuid[], inout p_known bigint, out leg shop_private.leg
)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    s constant record := p_settings;
    wide constant double precision := s.ef_search * greatest(1, p_k::double precision / s.recall_k) ^ s.stretch;
    deep constant integer := least(1000, greatest(wide, 2 * p_depth));  -- ef_search without a filter
    look integer;
    tried shop_private.leg;
    passed double precision := 1;  -- candidates for each that matches
    ef double precision := deep;
    spent double precision := 0;
    looked bigint := 0;
    affordable bigint;  -- to compare, for what the index would cost
begin
    if p_matched is null and p_index is not null then
        if p_condition <> 'true' and p_steered then
            if p_share >= 0.4 then
                ef := least(1000, greatest(deep, ceil(wide * p_share ^ -s.stretch)));
                tried := shop_private.hnsw_leg(p_part, p_vector, p_condition, p_depth, p_rows_per_product, p_index,
                    ef::integer, ef::integer);
                looked := tried.examined; spent := tried.ms;
            else
                foreach look in array array[greatest(40, s.ef_search / 3), s.ef_search] loop
                    tried := shop_private.hnsw_leg(p_part, p_vector, p_condition, look, p_rows_per_product, p_index, look, look);
                    looked := looked + tried.examined; spent := spent + tried.ms;
                    exit when cardinality(tried.product_ids) >= 3;  -- fewer tell too little of a density
                end loop;
            end if;
            passed := tried.examined / greatest(0.01, coalesce(cardinality(tried.product_ids), 0));
            if p_share >= 0.4 and cardinality(tried.product_ids) >= p_depth and wide * passed ^ s.stretch <= 1.2 * ef then
                leg := tried;
                return;
            end if;
            ef := greatest(deep, ceil(wide * passed ^ s.stretch));
            affordable := least(ef, 1000) * s.hnsw_us_per_candidate / s.exact_us_per_row;
            if affordable > p_known then  -- up to p_known was tried before
                p_known := affordable;
                p_matched := (shop_private.search_matches(p_condition, p_known, s.products)).matched;
            end if;
        elsif p_condition <> 'true' then
            ef := 1000;
        end if;
        if p_matched is null and ef <= 1000 then
            tried := shop_private.hnsw_leg(p_part, p_vector, p_condition, p_depth, p_rows_per_product, p_index, ef::integer,
                ceil(greatest(ef, 1.5 * passed * p_depth))::integer);  -- further out the density may be another
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
