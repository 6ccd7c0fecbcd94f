-- A vector leg by the cheaper route that is near enough; it always has p_depth products, or every one that matches.
--
-- Up to p_few matches are compared one by one. Beyond them the index is asked first: how far it has to look depends on how
-- many matches there are around the query, which their number (p_matched where they are collected, else p_share of all
-- products) does not tell: a shopper's filter may name the neighbourhood of the query or shun it. It may cost as much as
-- to compare all that match would (see hnsw_leg); what is not settled by then is compared. Where everything matches, one scan
-- with a calibrated ef_search will do (see nearest_leg).
--
-- The first p_k products have the recall that was calibrated; those behind them serve the fusion. p_steered false: the
-- index is asked whatever it costs.
create or replace function shop_private.search_leg(
    p_part text, p_vector @vector@.halfvec, p_condition text, p_k integer, p_depth integer, p_rows_per_product double precision,
    p_table regclass, p_index regclass, p_settings record, p_steered boolean, p_share double precision, p_few bigint,
    inout p_matched uuid[], out leg shop_private.leg
)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    s constant record := p_settings;
    unfiltered constant boolean := p_condition = 'true' and not row_security_active('shop.product'::regclass);
    share constant double precision := coalesce(p_share, 0.5);  -- where no sample was taken: most
    matches constant double precision := coalesce(cardinality(p_matched), greatest(p_few, share * s.products));  -- about
    affordable constant double precision := s.exact_us_per_row / s.hnsw_us_per_candidate * matches  -- candidates
        * case when p_matched is null then 2 else 1 end;  -- they would have to be collected first
    tried record;
    looked shop_private.leg;  -- what the index found, where that was not enough
begin
    if p_index is not null and unfiltered then
        leg := shop_private.nearest_leg(p_part, p_vector, p_depth, p_rows_per_product, p_index, s.ef_search);
        if cardinality(leg.product_ids) = p_depth then
            return;
        end if;
        looked := leg;
        looked.reason := format('%s: the index found %s, so all were compared', p_part, coalesce(cardinality(leg.product_ids), 0));
    elsif p_index is not null and (p_matched is null or cardinality(p_matched) > p_few) then
        tried := shop_private.hnsw_leg(p_part, p_vector, p_condition, p_k, p_depth, p_index, s.slack,
            case when p_steered then share end,
            case when p_steered then least(100000, affordable) else 100000 end::integer);
        if tried.settled then
            leg := tried.leg;
            return;
        end if;
        looked := tried.leg;
        looked.reason := format('%s: few of the nearest %s match, so all that match were compared', p_part, looked.examined);
    end if;
    if p_matched is null and p_condition <> 'true' and p_steered and matches <= 20000 then
        p_matched := (shop_private.search_matches(p_condition, 20000, s.products, p_share)).matched;
    end if;
    leg := shop_private.exact_leg(p_part, p_vector, p_condition, p_matched, p_depth, p_rows_per_product, p_table);
    if looked.route is not null then
        leg.reason := looked.reason;
        leg.examined := leg.examined + looked.examined;
        leg.ms := leg.ms + looked.ms;
    end if;
end $$;
