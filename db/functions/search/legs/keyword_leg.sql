-- Finds the p_depth products whose words fit the text best. Products are ordered by the whole points of their score,
-- then by ts_rank. The points of a product mean:
--
--   4  the product has every word, and the parts of each code stand together
--   3  the product has every word
--   2  the title has every word, some as parts of longer words
--   1  the product has every word, but the words are so common that not all such products are read
--   0  the product has some of the words, or its title has a word that is similar to a misspelt word
--
-- If the text names a brand among other words, a product of that brand must also have one of the other words.
--
-- A common word, which many products contain, does not select products. A common word only ranks the products that
-- rarer words select and the products that the vector legs found (p_candidates, nearest first). If the query has only
-- common words and p_candidates is null, the rarest word selects products: the first @keyword_common@ products of the
-- table that contain the word. More products are not needed, because all products with the word are about equally good.
-- A word that no product contains is treated as a typing error and looked up by its trigrams. A query of stop words
-- only is looked up in titles.
do $$ begin perform @trgm@.similarity('', ''); end $$;  -- loads pg_trgm, which defines pg_trgm.* settings

create or replace function shop_private.keyword_leg(
    p_text text, p_catalog text, p_condition text, p_matched uuid[], p_candidates uuid[], p_depth integer,
    p_products bigint
)
returns shop_private.leg
language plpgsql stable
set search_path = pg_catalog, pg_temp
set jit = off
set pg_trgm.word_similarity_threshold = @typo_similarity@
set enable_bitmapscan = on
set synchronize_seqscans = off  -- every table scan then begins at the first page, so equal searches read the same rows
as $$
declare
    began constant timestamptz := clock_timestamp();
    leg shop_private.leg;
    language constant regconfig := shop_private.keyword_language(p_catalog);
    query constant record := shop_private.keyword_query(p_text, language);
    selecting text[];  -- terms that select products
    common text[];
    rarest text;  -- the rarest of the common words
    selects_at_most integer;  -- largest number of products that `selecting` may select; null: no limit
    misspelt text[];
    brand record;  -- the result of brand_words
    share double precision;
    any_selecting tsquery;
    any_part text;  -- the results of title_parts
    every_part text;
    part_score text;
    complete boolean;  -- whether the statement reads all products with every word
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
        where c.word = any(query.words) and c.share * p_products > @keyword_common@);
    selecting := query.terms;
    complete := true;
    if common <> '{}' then
        select array_agg(t) into selecting from unnest(query.terms) t where not array_to_tsvector(common) @@ t::tsquery;
        complete := not array_to_tsvector(common) @@ query.every_word;
    end if;
    if selecting <> '{}' then
        misspelt := shop_private.misspelt_words(p_text, language);
        if misspelt is not null then
            leg.index_name := 'shop.product_title_trgm_idx';
        end if;
    end if;
    if not complete and p_candidates is null then
        select c.word, c.share into rarest, share
        from shop.common_word c where c.word = any(common) order by c.share limit 1;
        -- For a very common word, a bitmap scan would find all products with the word before it returned the first.
        perform set_config('enable_bitmapscan', case when share > @keyword_scan_share@ then 'off' else 'on' end, true);
        if selecting is null then
            selecting := array[quote_literal(rarest)];
            selects_at_most := @keyword_common@;
        else  -- `selecting` has the joined form or a second spelling of a common word
            execute format('select array(
                select p.product_id from shop.product p where p.keywords @@ $1 and %s limit $2)', p_condition)
            into p_candidates using quote_literal(rarest)::tsquery, @keyword_common@;
        end if;
    end if;

    any_selecting := nullif(
        array_to_string(array(select format('(%s)', t) from unnest(selecting) t), ' | '), '')::tsquery;
    select b.* into brand from shop_private.brand_words(p_text, p_catalog, language, query.words) b;
    execute shop_private.keyword_statement(
        case when p_matched is null then p_condition else 'p.product_id = any($6)' end, any_selecting is not null,
        p_candidates is not null and query.words <> '{}', misspelt is not null, brand.keys is not null, any_part,
        every_part, part_score)
    into leg.product_ids, leg.measures, leg.rows_examined
    using query.any_word, any_selecting, p_candidates, p_depth, misspelt, p_matched, query.every_word, selects_at_most,
        case when complete then 3 else 1 end, case when complete then coalesce(query.as_typed, query.any_word) end,
        brand.keys, brand.others;
    leg.ms := extract(epoch from clock_timestamp() - began) * 1000;
    return leg;
end $$;
