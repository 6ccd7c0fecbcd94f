-- Deletes the salts with which the visitors of earlier days were hashed. Without the salt, nobody can find out to which
-- visitor of the web service's page a stored hash belongs.
create or replace function shop_private.delete_old_salts()
returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    delete from shop_private.visitor_salt where day < (clock_timestamp() at time zone 'UTC')::date
$$;
