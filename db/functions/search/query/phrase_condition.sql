-- Returns the condition on p (shop.product) that is true for a product whose text has the words of a phrase, one
-- directly behind the other. If the phrase is one word, the product must have this word. The words are stemmed. A stop
-- word inside a phrase stands for any word. Returns null if the phrase has no word. A phrase that has only stop words
-- is looked up in titles.
--
-- The index of keywords finds the products. In two cases, the condition also reads fields of the product:
--   - The words of the phrase have weight B. The keywords list brand, type, colour and material one directly behind the
--     other, with this weight, so a phrase could span two fields. The condition puts an x between the fields.
--   - The title has characters outside ASCII. In the keywords, its words without accents have other positions, so the
--     condition also looks for the phrase in the title itself.
-- The function needs no SET clause, because it runs under the search_path of its callers.
create or replace function shop_private.phrase_condition(p_phrase text, p_language regconfig)
returns text
language plpgsql stable as $$
declare
    query constant record := shop_private.keyword_query(p_phrase, p_language);
    folded tsquery;
    adjacent text;
    lexeme constant text := '''(?:[^'']|'''')*''';
begin
    if query.every_word is null or query.only_stop_words then
        return 'p.title ~* ' || quote_literal(E'\\m' || nullif(array_to_string(array(
            select shop_private.title_pattern(w) from unnest(query.plain_words) w), '[^[:alnum:]]+'), '') || E'\\M');
    elsif p_phrase !~ E'\\S\\s+\\S' or to_tsvector(p_language, shop_private.fold(p_phrase)) = '' then
        return format('p.keywords @@ %L::tsquery', query.every_word);
    end if;
    folded := phraseto_tsquery(p_language, shop_private.fold(p_phrase));
    adjacent := (phraseto_tsquery(p_language, p_phrase) || folded)::text;
    return format('(p.keywords @@ %L::tsquery and (p.keywords @@ %L::tsquery
            or p.keywords @@ %L::tsquery and to_tsvector(%L::regconfig, shop_private.fold(
                concat_ws('' x '', p.brand, p.product_type, p.color, p.material))) @@ %5$L::tsquery
            or octet_length(p.title) > length(p.title)
                and to_tsvector(%4$L::regconfig, shop_private.fold(p.title)) @@ %5$L::tsquery))',
        query.every_word, regexp_replace(adjacent, lexeme, E'\\&:ACD', 'g'),
        regexp_replace(adjacent, lexeme, E'\\&:B', 'g'), p_language, folded);
end $$;
