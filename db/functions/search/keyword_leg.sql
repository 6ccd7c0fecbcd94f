-- The products whose words fit best, depth of them: those that have every word first (a score above 1), then by
-- ts_rank. Words that are in many products select nothing by themselves: they rank what the rarer words and the vector
-- legs (p_candidates, nearest first) found. With nothing else to go by the rarest of them selects, up to a bound: the
-- products that have it are about equally good, so the first that a walk through the table meets will do. A word no
-- product has is taken for a typing error and looked for by its trigrams.
do $$ begin perform @trgm@.similarity('', ''); end $$;  -- loads the library: only then may its settings be named

create or replace function shop_private.keyword_leg(
    p_words text, p_catalog text, p_condition text, p_matched uuid[], p_candidates uuid[], p_depth integer,
    p_products bigint
)
returns shop_private.leg
language plpgsql stable
set search_path = pg_catalog, pg_temp
set jit = off
set pg_trgm.word_similarity_threshold = 0.5
set enable_bitmapscan = on
set synchronize_seqscans = off  -- always the same first products
as $$
declare
    most constant integer := 500;  -- products a word may select
    selected integer;  -- at most
    found shop_private.leg;
    began constant timestamptz := clock_timestamp();
    language regconfig;
    by_index text;
    every_word text[];
    rare text[];
    missing text[];
    every_query tsquery;
    rare_query tsquery;
    all_query tsquery;
begin
    select ('pg_catalog.' || quote_ident(coalesce(max(c.language), 'english')))::regconfig into language
    from shop.catalog c where c.catalog = p_catalog;
    every_word := (tsvector_to_array(to_tsvector(language, left(p_words, 1000))))[:32];
    found.route := 'keyword';
    found.index_name := 'shop.product_keywords_idx';
    found.examined := 0;
    if every_word = '{}' then
        found.reason := 'the query has no words to look for';
        found.ms := extract(epoch from clock_timestamp() - began) * 1000;
        return found;
    end if;
    select array_agg(w) into rare from unnest(every_word) w
    where not exists (select from shop.common_word c where c.word = w and c.share * p_products > most);
    if rare is not null then
        -- as they were typed: trigrams know nothing of stems
        select array_agg(t.word) into missing
        from (select distinct lower(m[1]) as word from regexp_matches(left(p_words, 1000), '[[:alnum:]]{4,}', 'g') m limit 32) t,
            tsvector_to_array(to_tsvector(language, t.word)) l(lexemes), plainto_tsquery(language, t.word) q
        where l.lexemes <> '{}' and not exists (select from shop.common_word c where c.word = any(l.lexemes))
          and not exists (select from shop.product p where p.keywords @@ q);
        if missing is not null then
            found.index_name := 'shop.product_title_trgm_idx';
        end if;
    elsif p_candidates is null then
        select array[c.word], most, case when c.share > 0.02 then 'off' else 'on' end into rare, selected, by_index
        from shop.common_word c where c.word = any(every_word) order by c.share limit 1;
        perform set_config('enable_bitmapscan', by_index, true);  -- an index finds all before the first is taken
    end if;
    select string_agg(quote_literal(w), ' | ')::tsquery, string_agg(quote_literal(w), ' & ')::tsquery
    into every_query, all_query from unnest(every_word) w;
    select string_agg(quote_literal(w), ' | ')::tsquery into rare_query from unnest(rare) w;

    execute format(
        'with hit as (
            select p.product_id, ts_rank(p.keywords, $1, 1) + (p.keywords @@ $7)::integer as score
            from (select p.product_id, p.keywords from shop.product p
                where $2 is not null and p.keywords @@ $2 and %1$s limit $8) p
            union all
            select p.product_id, ts_rank(p.keywords, $1, 1) + (p.keywords @@ $7)::integer
            from (select p.* from shop.product p where p.product_id = any($3) offset 0) p  -- a few rows: no look into the words of all
            where p.keywords @@ $1 and %1$s
            %2$s),
        best as (select h.product_id, max(h.score) as score from hit h group by 1)
        select array_agg(b.product_id order by b.place), array_agg(b.score order by b.place), max(b.examined)
        from (select b.*, count(*) over () as examined, row_number() over (
                order by b.score desc, array_position($3, b.product_id), b.product_id) as place
            from best b order by place limit $4) b',
        case when p_matched is null then p_condition else 'p.product_id = any($6)' end,
        case when missing is not null then format(
            'union all
            (select p.product_id, 0.5 * max(@trgm@.word_similarity(t.word, p.title))
            from unnest($5) t(word) join shop.product p on t.word operator(@trgm@.<%%) p.title
            where %s group by 1 order by 2 desc limit %s)',
            case when p_matched is null then p_condition else 'p.product_id = any($6)' end, most) else '' end)
    into found.product_ids, found.scores, found.examined
    using every_query, rare_query, p_candidates, p_depth, missing, p_matched, all_query, selected;
    found.ms := extract(epoch from clock_timestamp() - began) * 1000;
    return found;
end $$;
