-- Returns the host from which an encoder fetches an image, such as "cdn.example", "cdn.example:8080" or "s3://bucket".
-- For an http address, this is the name and the port; for an object store, the scheme and the bucket. Returns null for
-- a file below an image root. Encoders fetch images host by host, so that a host that does not answer delays only its
-- own images.
create or replace function shop_private.image_host(p_image_root_id smallint, p_uri text) returns text
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
    select case
        when p_image_root_id is not null or p_uri is null then null
        when p_uri ~ '^https?://' then coalesce(nullif(left(lower(regexp_replace(
            substring(p_uri from '^https?://(?:[^/?#]*@)?([^/?#]*)'), ':(80|443)?$', '')), 255), ''), 'unknown')
        else left(coalesce(substring(p_uri from '^[a-z0-9]+://[^/]+'), 'unknown'), 255)
    end;
$$;
