-- Returns whether a role sees every row of shop.product. sees_every_product returns the same for the caller. A watch
-- sends notifications only if its creator sees every row. Every session may listen, so a session could otherwise learn
-- of products that row level security hides from it.
create or replace function shop_private.watch_role_sees_all(p_role text)
returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select coalesce((
        select not c.relrowsecurity or r.rolsuper or r.rolbypassrls or pg_has_role(r.oid, c.relowner, 'usage')
            or coalesce((
                select bool_or(p.polpermissive) and bool_and(p.polpermissive or p.passes)
                from (
                    select o.polpermissive, coalesce(pg_get_expr(o.polqual, o.polrelid) = 'true', false) as passes
                    from pg_policy o
                    where o.polrelid = c.oid and o.polcmd in ('r', '*') and exists (
                        select from unnest(o.polroles) g
                        where case when g = 0 then true else pg_has_role(r.oid, g, 'usage') end)
                ) p
                where p.passes or not p.polpermissive), false)
        from pg_class c, pg_roles r where c.oid = 'shop.product'::regclass and r.rolname = p_role), false)
$$;
