-- Returns the reasons of a run, as a text for people, or null if there is none. The reasons are:
--   (1) only keywords were searched;
--   (2) a vector leg (the ranking by image or by title) compared all or some of the matches after an index scan, or the
--       index scan of the leg ended because it had examined the largest allowed number of candidates;
--   (3) matching products are not encoded.
-- The function needs no SET clause, because it runs under the search_path of shop.search.
create or replace function shop_private.search_reason(p_run shop_private.search_run)
returns text
language plpgsql immutable as $$
declare
    -- the number of products that a vector leg ranked; null without a vector leg
    ranked constant bigint := cardinality(coalesce((p_run.image_leg).product_ids, (p_run.title_leg).product_ids));
begin
    return nullif(concat_ws('; ', 'only keywords were searched, ' || p_run.degraded, (p_run.image_leg).reason,
        (p_run.title_leg).reason, case when ranked < p_run.depth and ranked < p_run.total and p_run.total_is = 'exact'
            then format('%s more match but are not encoded', p_run.total - ranked) end), '');
end $$;
