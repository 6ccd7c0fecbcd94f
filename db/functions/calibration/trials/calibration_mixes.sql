-- Measures searches for mixes of products (see calibration_mixed_queries), with the settings of p_settings. Returns a
-- list of one entry for shop.calibration.measured, or an empty list if the site is so small that a search for a mix
-- compares all products. Returns null if the time p_until comes before the trial is complete.
create or replace function shop_private.calibration_mixes(
    p_run shop_private.calibration_run, p_settings shop_private.search_settings, p_until timestamptz
)
returns jsonb
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    tried jsonb;
begin
    if p_run.products <= greatest(p_settings.exact_limit, @compare_limit@) then
        return '[]';
    end if;
    tried := shop_private.calibration_routes(
        'mixes of products', p_run.k, p_run.mixes, p_run.mix_inputs, 'true', 1, p_settings, p_until);
    return '[]'::jsonb || ((tried - 'us_per_candidate') || jsonb_build_object('filter', 1, 'kind', 'mixes'));
end $$;
