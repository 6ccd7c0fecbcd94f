-- Returns the words that are looked up for a text and its synonyms (see keyword_query). The words that a synonym
-- replaces become one required part: these words, or one of the terms. `unknown` is the rest of the text, in which
-- misspelt words are looked for. as_typed matches only a product with every word of the text. A product that has a part
-- only by a term of a synonym therefore gets one point less. The function needs no SET clause, because it runs under
-- the search_path of its callers.
create or replace function shop_private.expanded_query(
    p_text text, p_language regconfig, p_synonyms shop_private.synonym_use[],
    out words text[], out terms text[], out required text[], out every_word tsquery, out any_word tsquery,
    out as_typed tsquery, out plain_words text[], out only_stop_words boolean, out unknown text
)
language plpgsql stable as $$
declare
    typed record;
    rest record;
    use shop_private.synonym_use;
    alternatives text[];
    remaining text[];
begin
    typed := shop_private.keyword_query(p_text, p_language);
    plain_words := typed.plain_words;
    only_stop_words := typed.only_stop_words;
    if p_synonyms is null then
        words := typed.words;
        terms := typed.terms;
        required := typed.required;
        every_word := typed.every_word;
        any_word := typed.any_word;
        as_typed := typed.as_typed;
        unknown := p_text;
        return;
    end if;
    remaining := regexp_split_to_array(btrim(left(p_text, @keyword_max_length@)), E'\\s+');
    foreach use in array p_synonyms loop
        for place in use.first .. use.last loop
            remaining[place] := null;
        end loop;
    end loop;
    unknown := array_to_string(remaining, ' ');
    rest := shop_private.keyword_query(unknown, p_language);
    words := rest.words;
    terms := rest.terms;
    required := rest.required;
    foreach use in array p_synonyms loop
        alternatives := array(
            select distinct q.every_word::text
            from unnest(use.terms || use.typed) t(term), shop_private.keyword_query(t.term, p_language) q
            where q.every_word is not null);
        continue when alternatives = '{}';
        words := words || array(
            select w from unnest(use.terms || use.typed) t(term),
                unnest(shop_private.query_words(t.term, p_language)) w);
        terms := terms || alternatives;
        required := required || array_to_string(array(select format('(%s)', a) from unnest(alternatives) a), ' | ');
    end loop;
    words := array(select distinct w from unnest(words) w);
    every_word := nullif(array_to_string(array(select format('(%s)', r) from unnest(required) r), ' & '), '')::tsquery;
    any_word := nullif(array_to_string(array(select format('(%s)', t) from unnest(terms) t), ' | '), '')::tsquery;
    as_typed := coalesce(typed.as_typed, typed.every_word);
end $$;
