-- Reads the operators of a request's query and looks up the synonyms of its words. If the query has an operator, the
-- function sets `parsed`, with the condition that the operators set, and keeps the remaining words as the query. The
-- function needs no SET clause, because it runs under the search_path of its callers.
create or replace function shop_private.read_query(inout request shop_private.search_request)
language plpgsql stable as $$
begin
    if request.query ~ E'["“”„‟«»:]|(^|\\s)-' then  -- most texts have no such sign
        request.parsed := shop_private.parse_query(request.query);
        if (request.parsed).typed is not null then
            request.parsed.condition := shop_private.query_condition(request.parsed, request.catalog);
            request.query := (request.parsed).words;
        end if;
    end if;
    if exists (select from shop.synonym s where s.catalog is null or s.catalog = request.catalog) then
        request.synonyms := shop_private.synonyms_of(request.query, request.catalog);
    end if;
end $$;
