-- Returns a sentence for people in two cases, otherwise null: (1) a run is not a complete ranking by all its legs; (2)
-- a leg compared all matches after an index scan. The function has no SET clause: shop.search calls it under its own
-- settings.
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
