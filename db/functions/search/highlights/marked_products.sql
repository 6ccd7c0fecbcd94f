-- Returns where the titles of p_products have words of a query (see shop.highlights). With p_described, the
-- descriptions are read too. The products must be of one catalog, because the query is read once for all of them.
create or replace function shop_private.marked_products(p_query text, p_products uuid[], p_described boolean)
returns table (product_id uuid, field text, first integer, length integer)
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
#variable_conflict use_column
declare
    request shop_private.search_request;
    language regconfig;
    words text[];
begin
    select p.catalog into request.catalog from shop.product p where p.product_id = any (p_products) limit 1;
    request.query := left(p_query, @max_text_length@);
    if request.catalog is null or request.query is null then
        return;
    end if;
    request := shop_private.read_query(request);
    if request.query is null then
        return;  -- the query only excludes products
    end if;
    language := shop_private.keyword_language(request.catalog);
    words := shop_private.query_words(request.query, language);
    return query
    with synonym as materialized (
        select q.words, q.every_word
        from unnest(request.synonyms) u, unnest(u.terms) t(term), shop_private.keyword_query(t.term, language) q
    )
    select p.product_id, f.name, m.first, m.length
    from shop.product p
    cross join lateral (values (1, 'title', p.title),
        (2, 'description', case when p_described then left(p.description, 20000) end)) f(n, name, body)
    cross join lateral shop_private.marked_words(f.body, ('pg_catalog.' || quote_ident(p.language))::regconfig,
        words || array(select w from synonym s, unnest(s.words) w where p.keywords @@ s.every_word)) m
    where p.product_id = any (p_products) and p.catalog = request.catalog and f.body is not null
    order by p.product_id, f.n, m.first;
end $$;
