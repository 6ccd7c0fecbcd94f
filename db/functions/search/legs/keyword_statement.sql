-- Returns the statement by which keyword_leg finds and ranks products. p_condition is a condition on p (shop.product).
-- The parameters of the statement are:
--   $1   a query for any word
--   $2   a query for any selecting word
--   $3   the candidates of the vector legs, nearest first
--   $4   the depth
--   $5   the misspelt words
--   $6   the collected matches
--   $7   a query for every word
--   $8   the products of $3, and the products that common_products found
--   $9   the points of a product that has every word; it gets 1 point more if it also matches $10
--   $10  a query for the codes as typed, or for any word if there are no codes, or null
--   $11  the keys of the brands in the text
--   $12  a query for any word that is not in a brand; if p_by_brand is true, products of a brand of $11 that
--        are found by their keywords must match $12
--   $13  the factor of the rank of a product that has no selecting word; used if p_weighted is true
--
-- If p_in_matches is true, the statement looks for the words in the products of $6 only. Otherwise the statement reads
-- the first @keyword_most_read@ products of the table that match $2. If there are at least that many and p_every is
-- true, the statement also reads the first @keyword_most_read@ products that match $7.
--
-- The statement has a branch for each way to find products, and no unused branch, because planning takes a fifth of the
-- run time of the statement. p_any_part, p_every_part and p_part_score are the results of shop_private.title_parts, and
-- p_symbols is the result of symbol_condition; each of them may be null.
create or replace function shop_private.keyword_statement(
    p_condition text, p_in_matches boolean, p_selects boolean, p_every boolean, p_with_candidates boolean,
    p_weighted boolean, p_by_trigrams boolean, p_by_brand boolean, p_any_part text, p_every_part text,
    p_part_score text, p_symbols text
)
returns text
language plpgsql immutable as $$
declare
    scored constant text := 'select p.product_id, ts_rank(p.keywords, $1, 1)'
        || case when p_weighted then ' * case when p.keywords @@ $2 then 1 else $13 end' else '' end || ' as score,
        case when p.keywords @@ $7 then $9 + coalesce((p.keywords @@ $10)::integer, 0)'
        || coalesce(' + 2 * (' || p_symbols || ')::integer', '') || ' else 0 end as points ';
    brand_condition constant text := case when p_by_brand then
        '(p.keywords @@ $12 or (shop_private.identifier_key(p.brand) = any($11)) is not true)' else 'true' end;
    condition constant text := case when p_in_matches then 'p.product_id = any($6)' else p_condition end;
    read_limit constant text := case when p_in_matches then '' else ' limit @keyword_most_read@' end;
    reads constant boolean := p_selects and not p_in_matches;
    -- "offset 0" keeps the planner from using the keyword index, which covers all products: $6 and $8 have few
    -- products.
    branches constant text[] := array_remove(array[
        case when p_in_matches then scored || format(
            'from (select * from shop.product p where p.product_id = any($6) offset 0) p
            where p.keywords @@ $1 and %s', brand_condition) end,
        case when reads then scored || format('from selected p where p.passes and %s', brand_condition) end,
        -- The first condition has no column of p, so PostgreSQL tests it once, before it reads the index.
        case when reads and p_every then scored || format('from (
                select p.* from shop.product p
                where (select count(*) from selected) = @keyword_most_read@ and p.keywords @@ $7
                limit @keyword_most_read@) p
            where %s and %s', condition, brand_condition) end,
        case when p_with_candidates then scored || format(
            'from (select p.* from shop.product p where p.product_id = any($8) offset 0) p
            where p.keywords @@ $1 and %s and %s', condition, brand_condition) end,
        case when p_by_trigrams then format(
            '(select p.product_id, @typo_weight@ * max(@trgm@.word_similarity(t.word, p.title)) as score, 0 as points
            from unnest($5) t(word), lateral (select * from shop.product p
                where t.word operator(@trgm@.<%%) p.title%s) p
            where %s group by 1 order by 2 desc limit @keyword_common@)', read_limit, condition) end,
        case when p_any_part is not null then format(
            '(select p.product_id, @compound_weight@ * (%s) + @compound_weight@ / length(p.title) as score,
                (%s)::integer * 2 as points
            from (select * from shop.product p where (%s)%s) p where %s limit @keyword_common@)',
            p_part_score, p_every_part, p_any_part, read_limit, condition) end], null);
begin
    if branches = '{}' then
        return 'select null::uuid[], null::double precision[], 0::bigint';
    end if;
    return case when reads then format('with selected as materialized (
            select p.product_id, p.keywords, p.brand, p.title, %s as passes
            from (select * from shop.product p where p.keywords @@ $2 limit @keyword_most_read@) p), ', condition)
        else 'with ' end || format(
        'best as (%s)
        select array_agg(b.product_id), array_agg(b.score), (select count(*) from best)%s
        from (select b.* from best b %s b.product_id limit $4) b',
        case when cardinality(branches) = 1
            then format('select h.product_id, h.points + h.score as score from (%s) h', branches[1])
            else format('select h.product_id, max(h.points) + %s as score from (%s) h group by 1',
                case when p_any_part is null then 'max(h.score)' else 'sum(distinct h.score)' end,
                array_to_string(branches, ' union all ')) end,
        case when reads then ' + (select count(*) from selected s where not s.passes)' else '' end,
        case when p_with_candidates or p_in_matches then 'left join (select c.product_id, min(c.place) as place
            from unnest($3) with ordinality c(product_id, place) group by 1) c on c.product_id = b.product_id
            order by b.score desc, c.place,' else 'order by b.score desc,' end);
end $$;
