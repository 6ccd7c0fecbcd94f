-- Measures searches whose filter excludes the products nearest to the query, with the settings p_settings. The filters
-- are the @calibration_far_types@ commonest product types, except types with at most p_settings.exact_limit products.
-- Each filter is measured with up to @calibration_mixes@ queries whose nearest product has a different type; a filter
-- with fewer than 5 such queries is left out. Returns a JSON list of entries for shop.calibration.measured. The list is
-- empty if the image index does not exist, if the site is so small that a search compares all products, or if no filter
-- remains. Returns null if the time p_until comes before a trial is complete.
create or replace function shop_private.calibration_far_filters(
    p_run shop_private.calibration_run, p_settings shop_private.search_settings, p_until timestamptz
)
returns jsonb
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    measured jsonb := '[]';
    kind record;
    nearest_types constant text[] := array(  -- the product type of the nearest product of each query
        select coalesce(p.product_type, '') from shop_private.calibration_list l
        left join shop.product p on p.product_id = l.product_ids[1]
        where l.step = 'nearest products' and l.condition = 1 order by l.query);
    far @vector@.halfvec[];
    tried jsonb;
begin
    if p_settings.image_index is null or p_run.products <= p_settings.exact_limit then
        return measured;
    end if;
    for kind in
        select c.name, c.share from pg_stats s,
            unnest(s.most_common_vals::text::text[], s.most_common_freqs) c(name, share)
        where s.schemaname = 'shop' and s.tablename = 'product' and s.attname = 'product_type'
            and c.share * p_run.products > p_settings.exact_limit
        order by c.share desc, c.name limit @calibration_far_types@
    loop
        far := array(select q.vector from unnest(p_run.vectors, nearest_types) with ordinality q(vector, name, place)
            where q.name <> kind.name order by q.place limit @calibration_mixes@);
        continue when cardinality(far) < 5;
        tried := shop_private.calibration_routes(format('product type %s, far from the query', kind.name), p_run.k, far,
            null, format('p.product_type = %L', kind.name), kind.share, p_settings, p_until);
        if tried is null then
            return null;
        end if;
        measured := measured || ((tried - 'us_per_candidate') || jsonb_build_object(
            'filter', round(kind.share::numeric, 3), 'kind', 'far from the query'));
    end loop;
    return measured;
end $$;
