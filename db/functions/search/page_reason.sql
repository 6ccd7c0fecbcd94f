-- Returns p_reason, the reason of a search. If p_reason is empty, returns why the search has fewer results than
-- p_total, or null if no reason is known. p_place is the place of the last result of a page, and p_has_next tells
-- whether another page follows. The function needs no SET clause, because it runs under the search_path of shop.search.
create or replace function shop_private.page_reason(
    p_reason text, p_request shop_private.search_request, p_place bigint, p_total bigint, p_total_is text,
    p_has_next boolean
)
returns text
language sql stable as $$
    select case when p_reason <> '' then p_reason
        when p_has_next or p_place >= p_total or num_nonnulls(p_request.sort, p_request.group_by) > 0 then null
        when p_place >= @max_results@ then 'the pages of a search end after @max_results@ results'
        when p_total_is = 'about' then null  -- the estimate may be too large
        when num_nonnulls(p_request.min_similarity, p_request.max_gap) > 0
            then format('%s more match but are not similar enough', p_total - p_place)
        else format('%s more match but no leg of the search found them', p_total - p_place) end
$$;
