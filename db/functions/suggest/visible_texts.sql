-- Returns product types and brands as suggested_texts does, for a call with a filter or a caller that may not see
-- every product. `count` is the number of products that the caller sees and that meet p_condition, a condition on p
-- (shop.product). A text without such a product is not returned.
--
-- In a site of more than @suggestion_scan_products@ products, the texts come from the last refresh. For each text, the
-- indexes on types and brands find the products that have the text in its most frequent spelling. The function reads
-- and counts at most @group_most_read@ of these products. A caller under a row policy may not read the texts of the
-- last refresh. For such a caller, and in a smaller site, the function reads all products that meet the condition.
create or replace function shop_private.visible_texts(
    p_key text, p_catalog text, p_condition text, p_kinds text[], p_most integer
)
returns table (kind text, folded text, text text, count bigint, place smallint, similarity real)
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
declare
    kinds constant text[] := array(select k.kind from unnest(p_kinds) k(kind) where k.kind in ('type', 'brand'));
    blocked constant text[] := array(select b.text from shop.blocked_suggestion b);
begin
    if cardinality(kinds) = 0 then
        return;
    elsif shop_private.row_estimate('shop.product') > @suggestion_scan_products@
        and not row_security_active('shop.product'::regclass)
    then
        return query execute format($q$
            select t.kind, t.folded, t.text, n.count, t.place, t.similarity
            from shop_private.suggested_texts($1, $2, $3, @max_suggestions@) t
            cross join lateral (
                select count(*) as count
                from (
                    (select p.* from shop.product p
                     where t.kind = 'type' and p.product_type = t.text and p.catalog = $2 limit @group_most_read@)
                    union all
                    (select p.* from shop.product p
                     where t.kind = 'brand' and p.brand = t.text and p.catalog = $2 limit @group_most_read@)
                ) p
                where %s
            ) n
            where n.count > 0$q$, p_condition)
        using p_key, p_catalog, kinds;
        return;
    end if;
    return query execute format($q$
        with spelling as (
            select v.kind, v.text, count(*) as count
            from shop.product p cross join lateral (values ('type', p.product_type), ('brand', p.brand)) v(kind, text)
            where length(v.text) <= @max_suggestion@ and v.kind = any($2) and (%s) group by 1, 2
        ), named as materialized (
            select s.kind, k.folded, (array_agg(s.text order by s.count desc, s.text))[1] as text,
                sum(s.count)::bigint as count, strpos(' ' || k.folded, ' ' || $1) as begins
            from spelling s cross join lateral (select shop_private.suggestion_key(s.text)) k(folded)
            where k.folded <> '' and not shop_private.is_blocked(k.folded, $4)
            group by 1, 2
        ), found as materialized (
            select n.*, 1::real as similarity from named n where n.begins > 0
        ), alike as (
            select n.*, @trgm@.word_similarity($1, n.folded) as similarity from named n
            where length($1) >= @typo_min_letters@ and not exists (select from found)
        ), best as (
            select a.*, row_number() over (partition by a.kind
                order by a.similarity desc, a.begins > 1, a.count desc, a.text) as rank
            from (select * from found union all select * from alike where similarity >= @suggestion_similarity@) a
        )
        select b.kind, b.folded, b.text, b.count, (b.begins > 1)::integer::smallint, b.similarity
        from best b where b.rank <= $3$q$, p_condition)
    using p_key, kinds, p_most, blocked;
end $$;
