-- Few matches are compared one by one; among many, the HNSW index finds the nearest. Which is cheaper follows from
-- two calibrated costs: a comparison, and a candidate of the index, of which a filter that passes the share f of
-- products needs about stretch * depth / f. The share is estimated on 2,000 or so products in random pages of the
-- table, always as it is now and as the caller may see it. Where matches could be few, they are collected, up to the
-- number beyond which the index is cheaper: the estimate can be wrong, the collection cannot.
--
-- scan is the number of candidates that have the matches among them, unless filter and query shun each other.
-- ef_search null: compare the matched products, or all that meet the condition when matched is null too.
create or replace function shop_private.search_route(
    p_condition text, p_depth integer, p_settings record, p_route text,
    out matched uuid[], out share double precision, out crossover bigint, out ef_search integer, out scan integer,
    out total bigint, out total_is text
)
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
declare
    s constant record := p_settings;
    wide constant integer := least(1000, greatest(s.ef_search, 2 * p_depth));  -- ef_search without a filter
    ratio constant double precision := s.hnsw_us_per_candidate / s.exact_us_per_row;
    filtered constant boolean := p_condition <> 'true';
    hits bigint := 0;
    seen bigint := 1;
begin
    crossover := greatest(100, ratio * wide, sqrt(ratio * s.stretch * p_depth * s.products));
    share := 1;
    if filtered and s.products > crossover then
        execute format('select count(*) filter (where %s), count(*) from shop.product p
            tablesample system (%s) repeatable (0)', p_condition, least(100, 200000.0 / s.products)) into hits, seen;
        share := hits / greatest(1.0, seen);
    end if;
    if filtered and p_route is null
        and greatest(0, hits - 2 * sqrt(hits)) / greatest(1, seen) * s.products < crossover then
        execute format('select array_agg(m.product_id) from (
            select p.product_id from shop.product p where %s limit %s) m', p_condition, crossover + 1) into matched;
        if coalesce(cardinality(matched), 0) <= crossover then
            matched := coalesce(matched, '{}');
            total := cardinality(matched); total_is := 'exact';
            share := least(1, cardinality(matched) / greatest(1.0, s.products));
            return;
        end if;
        matched := null;
        total := crossover + 1; total_is := 'at least';
        share := greatest(share, crossover / greatest(crossover, s.products)::double precision);
    end if;
    if total is null then
        total := round(share * s.products); total_is := 'about';
    end if;
    if p_route = 'exact' or (s.products <= crossover and p_route is null) then
        return;
    end if;
    share := least(1, greatest(share, 1.0 / greatest(1, s.products)));
    ef_search := least(1000, greatest(wide, ceil(s.stretch * p_depth / share)));
    scan := greatest(ef_search, ceil(1.5 * p_depth / share));
end $$;
