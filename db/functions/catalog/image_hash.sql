-- Returns a short hash of an image's content. The web service puts this hash into the address of the image, so that
-- browsers load the image again after the image was replaced. For a file that is not encoded yet, the hash is computed
-- from the version of the file. If an image at a web address is not encoded yet, the result is null.
create or replace function shop_private.image_hash(p_sha256 bytea, p_file_version text) returns text
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
    select left(coalesce(encode(p_sha256, 'hex'), md5(p_file_version)), 16);
$$;
