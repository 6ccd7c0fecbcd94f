-- Returns a hash of the policy windowshop_follow on a table: of its condition, its check and its command, whether it
-- applies to all roles, and whether it is permissive. The result is null if the table has no such policy.
create or replace function shop_private.policy_print(p_relation regclass)
returns text
language sql stable set search_path = pg_catalog, pg_temp set quote_all_identifiers = off as $$
    select md5(jsonb_build_array(pg_get_expr(o.polqual, o.polrelid), pg_get_expr(o.polwithcheck, o.polrelid),
        o.polroles = '{0}', o.polcmd, o.polpermissive)::text)
    from pg_policy o where o.polrelid = p_relation and o.polname = 'windowshop_follow'
$$;
