-- Finds the p_depth products whose words fit the text best. A score is a number of points plus a fraction that
-- grows with ts_rank. The points of a product mean:
--
--   4  the product has every word, and the parts of each code stand together
--   3  the product has every word
--   2  the title meets every_part of title_parts: in German and Dutch, a word may be a part of a longer word of the
--      title; if the query has only stop words, the title has all of them
--   1  the product has every word, but the words are so common that not all such products are read
--   0  the product has some of the words, or its title has a word that is similar to a misspelt word
--
-- If words of the text have signs, such as C++, a product with every word gets 2 more points if its title has the signs
-- (see symbol_condition).
--
-- If the text names a brand among other words, the keywords find only those products of the brand that also have one of
-- the other words.
--
-- The work of the leg has a limit, whatever the words are and however many products the catalog has. The document
-- frequencies in shop.common_word decide which words select products:
--
--   - If at most @keyword_most_read@ products pass the filter and were collected (p_matched), the leg reads only them.
--   - A word that at most @keyword_common@ products contain selects these products.
--   - Common words select products together, if at most @keyword_common@ products have all of them (common_products).
--   - Other common words only rank the products that rarer words select and the products that the vector legs found
--     (p_candidates, nearest first). If no vector leg ran (p_candidates is null), a sample of the products with such a
--     word is ranked. A larger sample is not needed, because all products with the words fit about equally well.
--
-- If a query has rare and common words, a product that has only common words gets a lower rank. Its ts_rank is
-- multiplied by a factor: the sum of the inverse document frequencies of the common words, divided by this sum for all
-- words.
--
-- p_synonyms are the synonyms of the text (see expanded_query). A word that no product contains is treated as a typing
-- error and looked up by its trigrams, unless p_correct is false. A query of stop words only is looked up in titles.
do $$ begin perform @trgm@.similarity('', ''); end $$;  -- loads pg_trgm, which defines pg_trgm.* settings

create or replace function shop_private.keyword_leg(
    p_text text, p_catalog text, p_condition text, p_matched uuid[], p_candidates uuid[], p_depth integer,
    p_products bigint, p_synonyms shop_private.synonym_use[] default null, p_correct boolean default true
)
returns shop_private.leg
language plpgsql stable
set search_path = pg_catalog, pg_temp
set jit = off
set pg_trgm.word_similarity_threshold = @typo_similarity@
set enable_seqscan = off  -- the planner expects an early match, so it would scan the table
as $$
declare
    began constant timestamptz := clock_timestamp();
    leg shop_private.leg;
    language constant regconfig := shop_private.keyword_language(p_catalog);
    query constant record := shop_private.expanded_query(p_text, language, p_synonyms);
    in_matches constant boolean := coalesce(cardinality(p_matched) <= @keyword_most_read@, false);
    products constant bigint := greatest(p_products, shop_private.row_estimate('shop.product'));
    common text[];
    selecting text[];  -- terms that select products
    similarity constant double precision := shop_private.typo_similarity(products);
    misspelt text[];  -- the results of misspelt_words
    resembling tsquery;
    any_word tsquery := query.any_word;
    brand record;  -- the result of brand_words
    together record;  -- the result of common_products
    found_together uuid[];  -- the products of this result
    rows_read bigint;
    any_selecting tsquery;
    any_part text;  -- the results of title_parts
    every_part text;
    part_score text;
    complete boolean := true;  -- whether the statement reads all products that have every word
    common_weight double precision;  -- the factor for the ts_rank of a product that has only common words
begin
    leg.route := 'keyword';
    leg.index_name := 'shop.product_keywords_idx';
    leg.rows_examined := 0;
    if query.only_stop_words or language in ('pg_catalog.german'::regconfig, 'pg_catalog.dutch'::regconfig) then
        select t.any_part, t.every_part, t.score into any_part, every_part, part_score
        from shop_private.title_parts(query.plain_words, language, query.only_stop_words) t;
    end if;
    if query.words = '{}' and any_part is null then
        leg.reason := 'the query has no words to look for';
        leg.ms := extract(epoch from clock_timestamp() - began) * 1000;
        return leg;
    end if;

    common := array(select c.word from shop.common_word c
        where c.word = any(query.words) and c.share * products > @keyword_common@);
    selecting := array(select t from unnest(query.terms) t where not array_to_tsvector(common) @@ t::tsquery);
    if selecting <> '{}' and p_correct then
        select m.words, m.common, m.typed into misspelt, resembling, leg.misspelt
        from shop_private.misspelt_words(query.unknown, language, products, similarity) m;
        if misspelt is not null then
            leg.index_name := 'shop.product_title_trgm_idx';
            perform set_config('pg_trgm.word_similarity_threshold', similarity::text, true);
        end if;
        any_word := coalesce(any_word || resembling, any_word);
    end if;
    if not in_matches and (array_to_tsvector(common) @@ query.every_word
        or p_candidates is null and num_nonnulls(misspelt, resembling) > 0)
    then
        together := shop_private.common_products(query.every_word, any_word,
            shop_private.word_shares(query.required, query.words), p_condition, products,
            case when p_candidates is null then p_depth end);
        complete := together.complete;
        leg.rows_examined := together.rows_read;
        found_together := together.product_ids;
    end if;

    if common <> '{}' and selecting <> '{}' then
        common_weight := (select sum(-ln(c.share)) from shop.common_word c where c.word = any(common));
        common_weight := common_weight / (
            common_weight + cardinality(selecting) * ln(1 + products::double precision / @keyword_common@));
    end if;
    any_selecting := nullif(
        array_to_string(array(select format('(%s)', t) from unnest(selecting) t), ' | '), '')::tsquery;
    select b.* into brand from shop_private.brand_words(p_text, p_catalog, language, query.words, p_synonyms) b;
    execute shop_private.keyword_statement(p_condition, in_matches, any_selecting is not null,
        cardinality(query.required) > 1, num_nonnulls(p_candidates, found_together) > 0 and query.words <> '{}',
        common_weight is not null, misspelt is not null, brand.keys is not null, any_part, every_part,
        part_score, shop_private.symbol_condition(p_text))
    into leg.product_ids, leg.measures, rows_read
    using any_word, any_selecting, p_candidates, p_depth, misspelt, p_matched, query.every_word,
        p_candidates || found_together, case when complete then 3 else 1 end,
        case when complete then coalesce(query.as_typed, query.any_word) end, brand.keys, brand.others,
        common_weight;
    leg.rows_examined := leg.rows_examined + rows_read;
    if any_part is not null then  -- a word that is a part of a longer word is not misspelt
        leg.misspelt := array(
            select w from unnest(leg.misspelt) w, shop_private.term_key(w, language) s(stem)
            where not exists (
                select from (select p.title from shop.product p
                    where p.product_id = any(leg.product_ids[:@correction_titles@]) offset 0) p
                where p.title ~* shop_private.title_pattern(
                    case when length(s.stem) >= @compound_min_letters@ then s.stem else shop_private.fold(w) end)));
    end if;
    leg.ms := extract(epoch from clock_timestamp() - began) * 1000;
    return leg;
end $$;
