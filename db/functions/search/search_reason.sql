-- Why a run is less than a complete ranking by all its legs, for people to read; null when it is not. It sets nothing:
-- it runs inside shop.search.
create or replace function shop_private.search_reason(p_run shop_private.search_run)
returns text
language plpgsql immutable as $$
declare
    nearest constant bigint := cardinality(coalesce((p_run.image_leg).product_ids, (p_run.title_leg).product_ids));
begin
    return nullif(concat_ws('; ', 'only keywords were searched, ' || p_run.degraded, (p_run.image_leg).reason,
        (p_run.title_leg).reason, case when nearest < p_run.depth and nearest < p_run.total and p_run.total_is = 'exact'
            then format('%s more match but are not encoded', p_run.total - nearest) end), '');
end $$;
