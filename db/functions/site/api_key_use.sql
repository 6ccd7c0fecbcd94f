-- Returns the API key whose token has the hash p_hash, unless that key is revoked or has expired. A role that may not
-- read `shop_private.api_key` can look up a key only through this function and api_key_find. For this, the role needs
-- the hash of the token. The function records the use of a key at most once a minute. Otherwise each request with the
-- key would cause a write.
create or replace function shop_private.api_key_use(p_hash bytea)
returns table (api_key_id integer, name text, scopes text[], catalogs text[], filter jsonb)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    update shop_private.api_key k set last_used_at = clock_timestamp()
    where k.hash = p_hash and k.revoked_at is null and coalesce(k.expires_at, 'infinity') > clock_timestamp()
        and coalesce(k.last_used_at, '-infinity') < clock_timestamp() - interval '1 minute';
    return query select k.api_key_id, k.name, k.scopes, k.catalogs, k.filter from shop_private.api_key k
        where k.hash = p_hash and k.revoked_at is null and coalesce(k.expires_at, 'infinity') > clock_timestamp();
end $$;
