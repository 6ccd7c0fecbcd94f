-- Returns a short hash of an image's content for its address, so that browsers load the image again after it was
-- replaced. An image that is not encoded yet has a hash of its file's version; an address that is not encoded has null.
create or replace function shop_private.image_hash(p_sha256 bytea, p_file_version text) returns text
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
    select left(coalesce(encode(p_sha256, 'hex'), md5(p_file_version)), 16);
$$;
