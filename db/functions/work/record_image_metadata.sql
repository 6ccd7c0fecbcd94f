-- Stores what decoding has found about images: the content hash, the size, and the perceptual hash. A stored perceptual
-- hash is not replaced. The arrays are parallel: one element for each image.
create or replace function shop_private.record_image_metadata(
    p_products uuid[], p_positions smallint[], p_sha256 bytea[], p_width integer[], p_height integer[], p_phash text[]
) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    with found as materialized (  -- locks rows in the order of product_id and position, as a load does
        select i.product_id, i.position, s.sha256, s.width, s.height, s.phash
        from shop.product_image i
        join unnest(p_products, p_positions, p_sha256, p_width, p_height, p_phash)
            as s(product_id, "position", sha256, width, height, phash)
            on i.product_id = s.product_id and i.position = s.position
        where (i.sha256, i.width, i.height) is distinct from (s.sha256, s.width, s.height)
        order by 1, 2 for no key update of i
    )
    update shop.product_image i
    set sha256 = s.sha256, width = s.width, height = s.height, phash = coalesce(i.phash, s.phash::bit(64))
    from found s where i.product_id = s.product_id and i.position = s.position;
$$;
