-- Returns products whose title begins with p_key, a text of suggestion_key, one product for each title, in the order of
-- the titles. p_condition is a condition on p (shop.product). The index on the beginnings of titles finds the products,
-- and at most @suggestion_titles@ of them are read.
create or replace function shop_private.suggested_products(
    p_key text, p_catalog text, p_condition text, p_most integer
)
returns table (product_id uuid, folded text, title text)
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
declare
    start constant text := format('left(shop_private.fold(p.title), %s) collate "C"', @title_start@);
begin
    return query execute format($q$
        select distinct on (t.folded) t.product_id, t.folded, t.title
        from (
            select p.product_id, shop_private.suggestion_key(p.title) as folded, p.title
            from shop.product p
            where p.catalog = $1 and %1$s >= $2 and %1$s < $2 || U&'\+10FFFF' and (%2$s)
            order by %1$s limit @suggestion_titles@
        ) t
        where starts_with(t.folded, $3)
        order by t.folded, t.product_id limit $4$q$, start, p_condition)
    using p_catalog, left(p_key, @title_start@), p_key, p_most;
end $$;
