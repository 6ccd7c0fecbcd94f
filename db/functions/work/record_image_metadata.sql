-- Stores what decoding has found about images: the content hash, the size, and the perceptual hash. A stored perceptual
-- hash is not replaced. The arrays are parallel: one element for each image.
create or replace function shop_private.record_image_metadata(
    p_products uuid[], p_positions smallint[], p_sha256 bytea[], p_width integer[], p_height integer[], p_phash text[]
) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    update shop.product_image i
    set sha256 = s.sha256, width = s.width, height = s.height, phash = coalesce(i.phash, s.phash::bit(64))
    from unnest(p_products, p_positions, p_sha256, p_width, p_height, p_phash)
        as s(product_id, "position", sha256, width, height, phash)
    where i.product_id = s.product_id and i.position = s.position
      and (i.sha256, i.width, i.height) is distinct from (s.sha256, s.width, s.height);
$$;
