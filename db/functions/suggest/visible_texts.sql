-- Returns product types and brands in which a word begins with p_key, for a caller that may not see every product. Only
-- products that the caller sees and that meet p_condition, a condition on p (shop.product), are counted. The function
-- reads all of these products.
create or replace function shop_private.visible_texts(p_key text, p_condition text, p_kinds text[], p_most integer)
returns table (kind text, folded text, text text, count bigint, place smallint, similarity real)
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
declare
    blocked constant text[] := array(select b.text from shop.blocked_suggestion b);
begin
    return query execute format($q$
        with named as (
            select v.kind, v.text, count(*) as count
            from shop.product p cross join lateral (values ('type', p.product_type), ('brand', p.brand)) v(kind, text)
            where v.text is not null and v.kind = any($2) and (%s) group by 1, 2
        ), found as (
            select n.*, k.folded, strpos(' ' || k.folded, ' ' || $1) as begins,
                row_number() over (partition by n.kind order by strpos(' ' || k.folded, ' ' || $1) > 1, n.count desc,
                    n.text) as rank
            from named n cross join lateral (select shop_private.suggestion_key(n.text)) k(folded)
            where strpos(' ' || k.folded, ' ' || $1) > 0
                and not shop_private.is_blocked(k.folded, $4)
        )
        select f.kind, f.folded, f.text, f.count, (f.begins > 1)::integer::smallint, 1::real from found f
        where f.rank <= $3$q$, p_condition)
    using p_key, p_kinds, p_most, blocked;
end $$;
