-- Returns products whose title begins with p_key, a result of suggestion_key. If several products have the same title,
-- one of them is returned. p_condition is a condition on p (shop.product). Blocked titles are not returned.
--
-- An index on the first @title_start@ characters of the folded title finds the products. Each step reads the next
-- different beginning, so that many products of one title do not hide other titles. At most @suggestion_titles@
-- beginnings and @suggestion_copies@ products of each are read, whether they pass the condition or not. Under a row
-- policy, PostgreSQL cannot use this index, so the function reads all products of the catalog that the caller sees. A
-- title with two blanks in a row is found only by a prefix that ends before the second blank.
create or replace function shop_private.suggested_products(
    p_key text, p_catalog text, p_condition text, p_most integer
)
returns table (product_id uuid, folded text, title text)
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
declare
    start constant text := format('left(shop_private.fold(p.title), %s) collate "C"', @title_start@);
    blocked constant text[] := array(select b.text from shop.blocked_suggestion b);
    passes constant text :=
        format('starts_with(k.folded, $3) and not shop_private.is_blocked(k.folded, $5) and (%s)', p_condition);
begin
    if row_security_active('shop.product'::regclass) then
        return query execute format($q$
            select distinct on (k.folded) p.product_id, k.folded, p.title
            from shop.product p cross join lateral (select shop_private.suggestion_key(p.title) as folded) k
            where p.catalog = $1 and %1$s >= $2 and %1$s < $2 || E'\U0010FFFF' and %2$s
            order by k.folded, p.product_id limit $4$q$, start, passes)
        using p_catalog, left(p_key, @title_start@), p_key, p_most, blocked;
        return;
    end if;
    return query execute format($q$
        with recursive step(n, start) as (
            (select 1, %1$s from shop.product p
             where p.catalog = $1 and %1$s >= $2 and %1$s < $2 || E'\U0010FFFF' order by %1$s limit 1)
            union all
            select s.n + 1, f.start
            from step s cross join lateral (
                select %1$s as start from shop.product p
                where p.catalog = $1 and %1$s > s.start and %1$s < $2 || E'\U0010FFFF' order by %1$s limit 1) f
            where s.n < @suggestion_titles@
        )
        select t.product_id, t.folded, t.title
        from step s cross join lateral (
            select distinct on (k.folded) p.product_id, k.folded, p.title
            from (select p.* from shop.product p where p.catalog = $1 and %1$s = s.start limit @suggestion_copies@) p
            cross join lateral (select shop_private.suggestion_key(p.title) as folded) k
            where %2$s
            order by k.folded, p.product_id) t
        limit $4$q$, start, passes)
    using p_catalog, left(p_key, @title_start@), p_key, p_most, blocked;
end $$;
