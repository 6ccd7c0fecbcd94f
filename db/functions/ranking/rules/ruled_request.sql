-- Returns a request with the changes that rules make: a new query, and filters, which are added to `parsed.condition`.
-- Each filter is translated alone, so the limits on the size of a filter hold for each of them. The function needs no
-- SET clause, because it runs under the search_path of run_search.
create or replace function shop_private.ruled_request(
    p_request shop_private.search_request, p_ranking shop_private.search_ranking
)
returns shop_private.search_request
language plpgsql stable as $$
declare
    request shop_private.search_request := p_request;
begin
    if p_ranking.filters is not null then
        request.parsed.condition := concat_ws(' and ', (p_request.parsed).condition,
            (select string_agg(format('(%s)', shop_private.filter_condition(f)), ' and ')
                from unnest(p_ranking.filters) f));
    end if;
    if p_ranking.notice ? 'query' then
        request.query := p_ranking.notice ->> 'query';
        request.synonyms := shop_private.synonyms_of(request.query, request.catalog);
    end if;
    return request;
end $$;
