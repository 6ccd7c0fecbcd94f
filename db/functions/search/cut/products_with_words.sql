-- Returns the products that meet p_condition, a condition on p (shop.product), and have at least one word of the text.
-- A product that has all words of a synonym (p_synonyms) is returned too. p_matched lists the products that meet the
-- condition, or is null if these products were not collected. At most p_most products are returned; a null p_most sets
-- no limit. `complete` is false if the limit excluded products.
create or replace function shop_private.products_with_words(
    p_text text, p_catalog text, p_condition text, p_matched uuid[], p_most integer,
    p_synonyms shop_private.synonym_use[],
    out product_ids uuid[], out complete boolean
)
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
declare
    query constant record := shop_private.expanded_query(
        p_text, shop_private.keyword_language(p_catalog), p_synonyms);
    any_word tsquery := query.any_word;
begin
    if p_synonyms is null then
        any_word := (select string_agg(quote_literal(w), ' | ')::tsquery from unnest(query.words) w);
    end if;
    if any_word is not null then
        execute format('select array_agg(p.product_id) from (
            select p.product_id from shop.product p where p.keywords @@ $1 and %s limit $2) p',
            case when p_matched is null then p_condition else 'p.product_id = any($3)' end)
        into product_ids using any_word, p_most + 1, p_matched;
    end if;
    complete := coalesce(cardinality(product_ids) <= p_most, true);
    product_ids := coalesce(product_ids[:coalesce(p_most, cardinality(product_ids))], '{}');
end $$;
