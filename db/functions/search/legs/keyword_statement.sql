-- Returns the statement of the keyword leg. p_condition is a condition on p (shop.product). The parameters of the
-- statement are:
--   $1   a query for any word
--   $2   a query for any selecting word
--   $3   the candidates of the vector legs
--   $4   the depth
--   $5   the misspelt words
--   $6   the collected matches
--   $7   a query for every word
--   $8   the largest number of products that $2 may select, or null
--   $9   the points of a product that has every word
--   $10  a query for the codes as typed, or null; a product that matches this query gets 1 point more
--   $11  the keys of the brands in the text
--   $12  a query for any word that is not in a brand; if p_by_brand is true, a product of a brand of $11 must match it
--
-- The statement has one branch for each of p_selects, p_with_candidates and p_by_trigrams that is true, and one branch
-- if p_any_part is not null. The statement has no unused branches, because planning takes a fifth of the run time of
-- the statement. p_any_part, p_every_part and p_part_score are the results of shop_private.title_parts, or null.
create or replace function shop_private.keyword_statement(
    p_condition text, p_selects boolean, p_with_candidates boolean, p_by_trigrams boolean, p_by_brand boolean,
    p_any_part text, p_every_part text, p_part_score text
)
returns text
language plpgsql immutable as $$
declare
    scored constant text := 'select p.product_id, ts_rank(p.keywords, $1, 1) as score,
        case when p.keywords @@ $7 then $9 + coalesce((p.keywords @@ $10)::integer, 0) else 0 end as tier ';
    brand_condition constant text := case when p_by_brand then
        '(p.keywords @@ $12 or (shop_private.identifier_key(p.brand) = any($11)) is not true)' else 'true' end;
    branches constant text[] := array_remove(array[
        case when p_selects then scored || format(
            'from (select p.product_id, p.keywords, p.brand from shop.product p
                where p.keywords @@ $2 and %s limit $8) p
            where %s', p_condition, brand_condition) end,
        -- "offset 0" keeps the planner from using the keyword index, which covers all products: the candidates are few.
        case when p_with_candidates then scored || format(
            'from (select p.* from shop.product p where p.product_id = any($3) offset 0) p
            where p.keywords @@ $1 and %s and %s', p_condition, brand_condition) end,
        case when p_by_trigrams then format(
            '(select p.product_id, @typo_weight@ * max(@trgm@.word_similarity(t.word, p.title)) as score, 0 as tier
            from unnest($5) t(word) join shop.product p on t.word operator(@trgm@.<%%) p.title
            where %s group by 1 order by 2 desc limit @keyword_common@)', p_condition) end,
        case when p_any_part is not null then format(
            '(select p.product_id, @compound_weight@ * (%s) + @compound_weight@ / length(p.title) as score,
                (%s)::integer * 2 as tier
            from shop.product p where (%s) and %s limit @keyword_common@)',
            p_part_score, p_every_part, p_any_part, p_condition) end], null);
begin
    if branches = '{}' then
        return 'select null::uuid[], null::double precision[], 0::bigint';
    end if;
    return format(
        'with best as (%s)
        select array_agg(b.product_id), array_agg(b.score), (select count(*) from best)
        from (select * from best b order by b.score desc, %s b.product_id limit $4) b',
        case when cardinality(branches) = 1
            then format('select h.product_id, h.tier + h.score as score from (%s) h', branches[1])
            else format('select h.product_id, max(h.tier) + %s as score from (%s) h group by 1',
                case when p_any_part is null then 'max(h.score)' else 'sum(distinct h.score)' end,
                array_to_string(branches, ' union all ')) end,
        case when p_with_candidates then 'array_position($3, b.product_id),' else '' end);
end $$;
