-- Returns a request with the query and the filters that rules put into it. The function has no SET clause, because it
-- runs under the settings of run_search.
create or replace function shop_private.ruled_request(
    p_request shop_private.search_request, p_ranking shop_private.search_ranking
)
returns shop_private.search_request
language plpgsql stable as $$
declare
    request shop_private.search_request := p_request;
begin
    if p_ranking.filters is not null then
        request.filter := jsonb_build_object('and', to_jsonb(p_ranking.filters)
            || coalesce(nullif(p_request.filter, 'null'), '{}'));
    end if;
    if p_ranking.notice ? 'query' then
        request.query := p_ranking.notice ->> 'query';
        request.synonyms := shop_private.synonyms_of(request.query, request.catalog);
    end if;
    return request;
end $$;
