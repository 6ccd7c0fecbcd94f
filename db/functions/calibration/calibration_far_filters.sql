-- Measures searches whose filter is far from the query, with the settings of p_settings. The filters are the
-- @calibration_far_types@ commonest product types, except types with at most p_settings.exact_limit products. Each
-- filter is measured with the queries whose nearest product has a different type. Returns a JSON list of entries for
-- shop.calibration.measured. The list is empty if the image index does not exist, or if the catalog is so small that a
-- search compares all products. p_truth is the result of calibration_truth whose first condition is 'true'.
create or replace function shop_private.calibration_far_filters(
    p_queries @vector@.halfvec[], p_truth text[], p_k integer, p_settings shop_private.search_settings
)
returns jsonb
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    measured jsonb := '[]';
    kind record;
    nearest text[] := '{}';  -- the product type of the nearest product of each query
    far @vector@.halfvec[];
    tried record;
begin
    if p_settings.image_index is null or p_settings.products <= p_settings.exact_limit then
        return measured;
    end if;
    for n in 1..cardinality(p_queries) loop
        nearest := nearest || (select coalesce(p.product_type, '') from shop.product p
            where p.product_id = (p_truth[1][n]::uuid[])[1]);
    end loop;
    for kind in
        select c.name, c.share from pg_stats s,
            unnest(s.most_common_vals::text::text[], s.most_common_freqs) c(name, share)
        where s.schemaname = 'shop' and s.tablename = 'product' and s.attname = 'product_type'
            and c.share * p_settings.products > p_settings.exact_limit
        order by c.share desc, c.name limit @calibration_far_types@
    loop
        far := array(select q.vector from unnest(p_queries, nearest) with ordinality q(vector, name, place)
            where q.name <> kind.name order by q.place limit @calibration_mixes@);
        continue when cardinality(far) < 5;
        tried := shop_private.calibration_routes(
            far, null, format('p.product_type = %L', kind.name), kind.share, p_k, p_settings);
        raise info 'a filter far from the query that a share of % passes: recall % (lower bound %)',
            round(kind.share::numeric, 2), round(tried.recall::numeric, 3), round(tried.lowest::numeric, 3);
        measured := measured || jsonb_build_object('filter', round(kind.share::numeric, 3),
            'kind', 'far from the query', 'candidates', tried.candidates, 'recall', tried.recall,
            'lowest', tried.lowest, 'ms', tried.ms);
    end loop;
    return measured;
end $$;
