-- Tells whether the session acts as a role with the rights of app. If a SECURITY DEFINER function calls is_staff, the
-- role of the session counts, not the owner of that function.
create or replace function shop_private.is_staff()
returns boolean
language sql stable parallel safe set search_path = pg_catalog, pg_temp as $$
    select pg_has_role(coalesce(nullif(current_setting('role'), 'none')::name, session_user), '@app@', 'usage')
$$;
