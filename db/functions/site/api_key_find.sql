-- Returns the API key whose token has the hash p_hash, unless that key is revoked or has expired. Unlike api_key_use,
-- the function writes nothing, so a standby can run it.
create or replace function shop_private.api_key_find(p_hash bytea)
returns table (
    api_key_id integer, name text, scopes text[], catalogs text[], filter jsonb, expires_at timestamptz
)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select k.api_key_id, k.name, k.scopes, k.catalogs, k.filter, k.expires_at from shop_private.api_key k
    where k.hash = p_hash and k.revoked_at is null and coalesce(k.expires_at, 'infinity') > clock_timestamp()
$$;
