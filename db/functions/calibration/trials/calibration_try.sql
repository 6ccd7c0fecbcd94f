-- Searches by image through the index once for each query of a calibration, and returns the recall and the cost (see
-- calibration_finish). p_step describes the trial and is its name in calibration_list. If the time p_until comes before
-- the trial is complete, the function returns null, and a later call continues the trial.
--
-- The filter is condition number p_condition of calibration_conditions. The index and p_ef_search decide which search
-- is measured:
--   - over vectors, if p_ef_search is given: the search has this ef_search and no filter;
--   - over vectors, if p_ef_search is null: the search has the filter, and the stop margin that narrow_margin computes
--     from p_stop_margin;
--   - over bits: the search has the filter, and p_ef_search is the number of candidates.
create or replace function shop_private.calibration_try(
    p_step text, p_run shop_private.calibration_run, p_condition integer, p_ef_search integer,
    p_stop_margin double precision, p_index regclass, p_until timestamptz
)
returns jsonb
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    done constant jsonb := shop_private.calibration_done(p_step);
    passing constant text := (shop_private.calibration_conditions()).conditions[p_condition];
    share constant double precision := (shop_private.calibration_conditions()).shares[p_condition];
    bits constant integer := (shop_private.search_settings()).image_bits;
    leg shop_private.leg;
    k integer;
begin
    if done is not null then
        return done;
    end if;
    for n in 1 + (select count(*) from shop_private.calibration_list l where l.step = p_step)
            ..cardinality(p_run.vectors) loop
        -- If the query is the image of a product, the leg returns one more product, because it finds this product
        -- first.
        k := p_run.k + (p_run.own_products[n] is not null)::int;
        leg := case when bits is not null
            then (shop_private.bit_leg('image', 'shop.image_vector', bits, p_run.vectors[n], passing, share, k, 1,
                p_index::text, p_ef_search, @hnsw_max_candidates@, true)).leg
            when p_ef_search is not null
            then shop_private.unfiltered_hnsw_leg('image', p_run.vectors[n], k, 1, p_index, p_ef_search)
            else (shop_private.filtered_hnsw_leg('shop.image_vector', p_run.vectors[n], passing, k, k, p_index::text,
                shop_private.narrow_margin(p_stop_margin, share), null, @hnsw_first_check@,
                @hnsw_max_candidates@)).leg end;
        perform shop_private.calibration_add(p_step, n, leg);
        if clock_timestamp() >= p_until then
            return null;
        end if;
    end loop;
    return shop_private.calibration_finish(p_step, 'nearest products', p_condition);
end $$;
