-- Marks request p_id as impossible to encode. The session that waits for the request gets the reason, p_error.
create or replace function shop_private.request_refuse(p_id bigint, p_error text)
returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    update shop_private.request set error = left(p_error, 1000) where id = p_id;
$$;
