-- Returns the name of the function in shop_signals that reads all signals of role p_role. The name has a blank, so no
-- signal has this name.
create or replace function shop_private.signal_reader(p_role name)
returns text
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
    select 'read ' || left(md5(p_role::text), 16)
$$;
