-- Returns where a product's title and description have words of a query. A result page uses these positions to mark the
-- words.
--
--   select s.sku, h.* from shop.search('leather backpack') s, shop.highlights('leather backpack', s.product_id) h;
--
-- `first` is the position of the first character, from 0, and `length` the number of characters; a character is a
-- Unicode code point. substr(title, first + 1, length) is the marked text. As in a search, the words of the product are
-- stemmed in the language of the product, and the words of the query in the language of queries (see keyword_language).
-- The words of a synonym are marked if the product has all of them. The operators of the query are recognised. Excluded
-- words mark nothing. The value of an operator such as brand:nike is marked only if the query has no other words to
-- search for. For a query with misspelt words, pass corrected_query of shop.search. The description is read up to
-- character 20,000. A product that the caller does not see has no rows.
create or replace function shop.highlights(query text, product_id uuid)
returns table (field text, first integer, length integer)
language sql stable rows 5 set search_path = pg_catalog, pg_temp as $$
    select m.field, m.first, m.length from shop_private.marked_products(query, array[product_id], true) m
$$;
