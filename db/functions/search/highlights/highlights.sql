-- Returns where a product's title and description have words of a query. A result page uses the places to mark the
-- words.
--
--   select s.sku, h.* from shop.search('leather backpack') s, shop.highlights('leather backpack', s.product_id) h;
--
-- `first` is the place of the first character, from 0, and `length` the number of characters; a character is a Unicode
-- code point. substr(title, first + 1, length) is the marked text. The words are stemmed as in the keyword leg: those
-- of the product in its language, and those of the query in the language of queries. The words of a synonym are marked
-- if the product has all of them. Operators of the query are read; excluded words and fields are not marked. For a
-- query with misspelt words, pass corrected_query of shop.search. The description is read up to character 20,000. A
-- product that the caller does not see has no rows.
create or replace function shop.highlights(query text, product_id uuid)
returns table (field text, first integer, length integer)
language plpgsql stable rows 5 set search_path = pg_catalog, pg_temp set jit = off as $$
#variable_conflict use_column
declare
    request shop_private.search_request;
    product record;
    language regconfig;
    words text[];
begin
    select p.catalog, p.title, left(p.description, 20000) as description, p.keywords,
        ('pg_catalog.' || quote_ident(p.language))::regconfig as language
    into product
    from shop.product p where p.product_id = highlights.product_id;
    request.query := left(query, @max_text_length@);
    request.catalog := product.catalog;
    if product.catalog is null or request.query is null then
        return;
    end if;
    request := shop_private.read_query(request);
    if request.query is null then
        return;  -- the query only excludes products
    end if;
    language := shop_private.keyword_language(product.catalog);
    words := shop_private.query_words(request.query, language) || array(
        select w
        from unnest(request.synonyms) u, unnest(u.terms) t(term),
            shop_private.keyword_query(t.term, language) q, unnest(q.words) w
        where product.keywords @@ q.every_word);
    return query
    select f.name, m.first, m.length
    from (values (1, 'title', product.title), (2, 'description', product.description)) f(n, name, body),
        shop_private.marked_words(f.body, product.language, words) m
    order by f.n, m.first;
end $$;
