-- Returns the host from which an encoder fetches an image, such as "cdn.example", "cdn.example:8080" or "s3://bucket".
-- The host of an http or https address is its name and its port; the ports 80 and 443 are left out. The host of an
-- object store is the scheme and the bucket. The result is 'unknown' for an address without a host, and null for a file
-- below an image root or a null p_uri. Encoders limit the fetches of each host, so that a host that does not answer
-- delays only its own images.
--
-- A load calls the function for each image, so it must be fast. It has no SET clause, so that the planner inlines it.
-- It does not call regexp_replace for the usual addresses: https://, then lower-case letters, digits, dots and hyphens,
-- then a slash.
create or replace function shop_private.image_host(p_image_root_id smallint, p_uri text) returns text
language sql immutable parallel safe as $$
    select case
        when p_image_root_id is not null or p_uri is null then null
        when p_uri ~ '^https://[a-z0-9.-]+/' then left(split_part(p_uri, '/', 3), 255)
        when p_uri ~ '^https?://' then coalesce(nullif(left(lower(regexp_replace(
            substring(p_uri from '^https?://(?:[^/?#]*@)?([^/?#]*)'), ':(80|443)?$', '')), 255), ''), 'unknown')
        else left(coalesce(substring(p_uri from '^[a-z0-9]+://[^/]+'), 'unknown'), 255)
    end;
$$;
