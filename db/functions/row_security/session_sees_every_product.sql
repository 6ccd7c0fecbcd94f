-- Returns whether the role of the session sees every row of shop.product, as sees_every_product does for the current
-- role. The role of the session is the one of SET ROLE, or else the login. A SECURITY DEFINER function does not change
-- this role, so it can decide with the result whether its caller may learn about all products. If the role of SET ROLE
-- has been renamed since, the result is false while row level security is enabled, because the setting still has the
-- old name.
create or replace function shop_private.session_sees_every_product()
returns boolean
language sql stable parallel safe set search_path = pg_catalog, pg_temp as $$
    select not c.relrowsecurity or coalesce((
        select r.rolsuper or r.rolbypassrls
            or pg_has_role(r.oid, c.relowner, 'usage') and not c.relforcerowsecurity
            or coalesce((
                select bool_or(p.polpermissive) and bool_and(p.polpermissive or p.passes)
                from (
                    select o.polpermissive, coalesce(pg_get_expr(o.polqual, o.polrelid) = 'true', false) as passes
                    from pg_policy o
                    where o.polrelid = c.oid and o.polcmd in ('r', '*')
                        and exists (select from unnest(o.polroles) m
                            where case when m = 0 then true else pg_has_role(r.oid, m, 'usage') end)
                ) p
                where p.passes or not p.polpermissive), false)
        from pg_roles r
        where r.rolname = coalesce(nullif(current_setting('role'), 'none')::name, session_user)), false)
    from pg_class c
    where c.oid = 'shop.product'::regclass
$$;
