-- Makes the images of the staged products equal to the lists of images of these products in pg_temp.staged_product.
-- upsert_staged calls this function and creates pg_temp.staged_key, the keys of the products. p_image_root_id is stored
-- with each image whose uri is a path. An image is replaced if its uri has changed, or if its file has another version
-- (size and times) than at the last load. Returns the number of images that were deleted, added or replaced. An image
-- of which only the perceptual hash changed is not counted.
create or replace function shop_private.upsert_staged_images(p_image_root_id smallint)
returns bigint
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    deleted bigint;
    written bigint;
begin
    create temporary table staged_image on commit drop as
    select k.product_id, (i.n - 1)::smallint as position, i.uri,
        case when i.uri ~ '^(https?|s3|gs)://' then null else p_image_root_id end as image_root_id,
        i.phash::bit(64) as phash, i.file_version
    from pg_temp.staged_key k
    join pg_temp.staged_product s on s.sku = k.sku,
    unnest(s.image_uris, s.image_phashes, s.image_versions) with ordinality as i(uri, phash, file_version, n);

    delete from shop.product_image i
    using pg_temp.staged_key k join pg_temp.staged_product s on s.sku = k.sku
    where i.product_id = k.product_id and i.position >= cardinality(s.image_uris);
    get diagnostics deleted = row_count;

    insert into shop.product_image as i (product_id, position, uri, image_root_id, phash, file_version)
    select s.product_id, s.position, s.uri, s.image_root_id, s.phash, s.file_version
    from pg_temp.staged_image s
    left join shop.product_image i on i.product_id = s.product_id and i.position = s.position
    where (i.uri, i.image_root_id) is distinct from (s.uri, s.image_root_id)
       or s.file_version <> i.file_version
    order by 1, 2
    on conflict (product_id, position) do update
    set uri = excluded.uri, image_root_id = excluded.image_root_id, phash = excluded.phash,
        file_version = excluded.file_version, sha256 = null, width = null, height = null;
    get diagnostics written = row_count;

    -- The feed's perceptual hash of an unchanged image replaces the stored hash if the two differ. An image whose file
    -- no load has seen yet gets the version of its file.
    update shop.product_image i
    set phash = coalesce(s.phash, i.phash), file_version = coalesce(s.file_version, i.file_version)
    from pg_temp.staged_image s
    where i.product_id = s.product_id and i.position = s.position
      and (s.phash is not null and i.phash <> s.phash or s.file_version is not null and i.file_version is null);

    drop table pg_temp.staged_image;
    return deleted + written;
end $$;
