-- Tells whether the session acts as a role with the rights of app. Inside a SECURITY DEFINER function too, is_staff
-- looks at the role of the session, not at the owner of that function.
create or replace function shop_private.is_staff()
returns boolean
language sql stable parallel safe set search_path = pg_catalog, pg_temp as $$
    select pg_has_role(coalesce(nullif(current_setting('role'), 'none')::name, session_user), '@app@', 'usage')
$$;
