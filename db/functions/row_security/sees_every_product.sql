-- Returns whether the caller sees every row of shop.product. This is the case if no row level security applies, or if
-- at least one permissive policy and all restrictive policies of the caller have the condition true.
-- Policies, views and functions use the result to decide whether the caller may read what describes all products
-- together, such as a calibration.
create or replace function shop_private.sees_every_product()
returns boolean
language sql stable parallel safe set search_path = pg_catalog, pg_temp as $$
    select not row_security_active('shop.product'::regclass) or coalesce((
        select bool_or(p.polpermissive) and bool_and(p.polpermissive or p.passes)
        from (
            select o.polpermissive, coalesce(o.polqual::text like '{CONST %'  -- pg_get_expr is slow
                and pg_get_expr(o.polqual, o.polrelid) = 'true', false) as passes
            from pg_policy o
            where o.polrelid = 'shop.product'::regclass and o.polcmd in ('r', '*')
                and exists (select from unnest(o.polroles) r
                    where case when r = 0 then true else pg_has_role(r, 'usage') end)
        ) p
        where p.passes or not p.polpermissive), false)
$$;
