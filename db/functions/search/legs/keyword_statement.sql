-- Returns the statement of the keyword leg. p_condition is a condition on p (shop.product). The parameters of the
-- statement are: $1 any word, $2 any selecting word, $3 candidates of the vector legs, $4 depth, $5 misspelt words,
-- $6 collected matches, $7 every word, $8 the largest number of products that $2 may select, or null, $9 keys of the
-- brands in the text, or null, $10 any other word. A product of such a brand needs another word, too.
create or replace function shop_private.keyword_statement(p_condition text, p_by_trigrams boolean)
returns text
language plpgsql immutable as $$
begin
    return format(
        'with hit as (
            select p.product_id, ts_rank(p.keywords, $1, 1) + (p.keywords @@ $7)::integer as score
            from (select p.product_id, p.keywords, p.brand from shop.product p
                where $2 is not null and p.keywords @@ $2 and %1$s limit $8) p
            where $9 is null or p.keywords @@ $10 or (shop_private.identifier_key(p.brand) = any($9)) is not true
            union all
            -- These are few rows: "offset 0" keeps the planner off the keyword index, which covers all products.
            select p.product_id, ts_rank(p.keywords, $1, 1) + (p.keywords @@ $7)::integer
            from (select p.* from shop.product p where p.product_id = any($3) offset 0) p
            where p.keywords @@ $1 and %1$s
                and ($9 is null or p.keywords @@ $10 or (shop_private.identifier_key(p.brand) = any($9)) is not true)
            %2$s),
        best as (select h.product_id, max(h.score) as score from hit h group by 1)
        select array_agg(b.product_id order by b.place), array_agg(b.score order by b.place), max(b.examined)
        from (select b.*, count(*) over () as examined, row_number() over (
                order by b.score desc, array_position($3, b.product_id), b.product_id) as place
            from best b order by place limit $4) b',
        p_condition,
        case when p_by_trigrams then format(
            'union all
            (select p.product_id, @typo_weight@ * max(@trgm@.word_similarity(t.word, p.title))
            from unnest($5) t(word) join shop.product p on t.word operator(@trgm@.<%%) p.title
            where %s group by 1 order by 2 desc limit @keyword_common@)', p_condition) else '' end);
end $$;
