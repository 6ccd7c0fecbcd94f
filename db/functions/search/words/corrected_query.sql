-- Returns the query with its misspelt words replaced, or null if no word was replaced. p_typed is the query as the
-- caller gave it, and p_products is the number of all products. Only the titles of the first @correction_titles@
-- products of p_leg, the keyword leg, are read. The replacement of a misspelt word is the most similar word in those of
-- these titles that resemble the misspelt word. A misspelt word is replaced only if its trigram similarity to the
-- replacement is at least @correction_similarity@, or if both have the same letters in another order. If one of the two
-- contains the other, their lengths must differ by at most @correction_letters@ letters. A word with a digit is not
-- replaced, because it may be a code or a size. The function needs no SET clause, because it runs under the search_path
-- of its callers.
create or replace function shop_private.corrected_query(p_typed text, p_leg shop_private.leg, p_products bigint)
returns text
language plpgsql stable as $$
declare
    similarity double precision;
    corrected text := p_typed;
    misspelt text;
    nearest text;
begin
    if p_leg.misspelt is null then
        return null;
    end if;
    similarity := shop_private.typo_similarity(greatest(p_products, shop_private.row_estimate('shop.product')));
    foreach misspelt in array p_leg.misspelt loop
        select t.word into nearest
        from shop.product p, regexp_matches(p.title, '[[:alnum:]]{@typo_min_letters@,}', 'g') m, lower(m[1]) t(word)
        where misspelt !~ '[[:digit:]]' and p.product_id = any(p_leg.product_ids[:@correction_titles@])
            and @trgm@.word_similarity(misspelt, p.title) >= similarity
            and (strpos(t.word, misspelt) = 0 and strpos(misspelt, t.word) = 0
                or abs(length(t.word) - length(misspelt)) <= @correction_letters@)
            and (@trgm@.similarity(misspelt, t.word) >= @correction_similarity@
                or length(misspelt) = length(t.word)
                    and array(select c from string_to_table(misspelt, null) c order by c)
                        = array(select c from string_to_table(t.word, null) c order by c))
        group by t.word order by @trgm@.similarity(misspelt, t.word) desc, count(*) desc, t.word collate "C" limit 1;
        corrected := coalesce(regexp_replace(corrected, E'\\m' || misspelt || E'\\M', nearest, 'gi'), corrected);
    end loop;
    return nullif(corrected, p_typed);
end $$;
