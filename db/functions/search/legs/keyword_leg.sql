-- Finds the p_depth products whose words fit best: products that contain every word come first (a score above 1), then
-- the order is by ts_rank.
--
-- A brand among other words selects only products of the brand that have another word of the text, too.
--
-- A common word, which many products contain, does not select products. It ranks the products that rarer words and the
-- vector legs found (p_candidates, nearest first). If the query has only common words and there are no candidates, the
-- rarest word selects the first @keyword_common@ products of the table that contain it, as these products are about
-- equally good. A word that no product contains is treated as a typing error and looked up by its trigrams.
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
set synchronize_seqscans = off  -- so that the first products of the table are always the same
as $$
declare
    began constant timestamptz := clock_timestamp();
    leg shop_private.leg;
    language constant regconfig := shop_private.keyword_language(p_catalog);
    words constant text[] := shop_private.query_words(p_text, language);
    selecting text[];  -- words that select products
    selects_at_most integer;
    misspelt text[];
    brand record;  -- the result of brand_words
    share double precision;
    every_word tsquery;
    any_word tsquery;
    any_selecting tsquery;
begin
    leg.route := 'keyword';
    leg.index_name := 'shop.product_keywords_idx';
    leg.rows_examined := 0;
    if words = '{}' then
        leg.reason := 'the query has no words to look for';
        leg.ms := extract(epoch from clock_timestamp() - began) * 1000;
        return leg;
    end if;

    select array_agg(w) into selecting from unnest(words) w
    where not exists (select from shop.common_word c where c.word = w and c.share * p_products > @keyword_common@);
    if selecting is not null then
        misspelt := shop_private.misspelt_words(p_text, language);
        if misspelt is not null then
            leg.index_name := 'shop.product_title_trgm_idx';
        end if;
    elsif p_candidates is null then
        select array[c.word], @keyword_common@, c.share into selecting, selects_at_most, share
        from shop.common_word c where c.word = any(words) order by c.share limit 1;
        -- A bitmap scan finds all products that contain a word before it returns the first product.
        perform set_config('enable_bitmapscan', case when share > @keyword_scan_share@ then 'off' else 'on' end, true);
    end if;

    select string_agg(quote_literal(w), ' | ')::tsquery, string_agg(quote_literal(w), ' & ')::tsquery
    into any_word, every_word from unnest(words) w;
    select string_agg(quote_literal(w), ' | ')::tsquery into any_selecting from unnest(selecting) w;
    select b.* into brand from shop_private.brand_words(p_text, p_catalog, language, words) b;
    execute shop_private.keyword_statement(
        case when p_matched is null then p_condition else 'p.product_id = any($6)' end, misspelt is not null)
    into leg.product_ids, leg.measures, leg.rows_examined
    using any_word, any_selecting, p_candidates, p_depth, misspelt, p_matched, every_word, selects_at_most, brand.keys,
        brand.others;
    leg.ms := extract(epoch from clock_timestamp() - began) * 1000;
    return leg;
end $$;
