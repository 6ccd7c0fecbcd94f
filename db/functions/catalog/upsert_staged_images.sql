-- Stores the images of the products in pg_temp.staged_key. For each product, pg_temp.staged_product has the list of
-- images, which replaces the stored list. upsert_staged creates pg_temp.staged_key and locks the products before it
-- calls this function. p_image_root_id, which names the folder where paths start, is stored with each image whose uri
-- is a path. But a path that the product has already keeps its image root if p_image_root_id is null. It also keeps its
-- image root if keeps_roots of the staged product is true and p_image_root_id has no such file (the version is null).
-- So a process without an image root can write an exported product again.
--
-- An image is replaced if its uri, its image root or the version of its file has changed since the last load. The
-- version is the size and the times of the file. If the feed has a new perceptual hash for an unchanged image, the
-- function stores this hash. If no version of an image's file is stored yet, the function stores the version.
-- Returns the number of images that were deleted, added or replaced.
create or replace function shop_private.upsert_staged_images(p_image_root_id smallint)
returns bigint
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    written bigint;
begin
    -- staged_image has the images that differ. An image with a null uri is deleted. is_stored tells whether an image is
    -- stored at the same position. If `replaces` is true, the staged image replaces the stored image or is added.
    create temporary table staged_image on commit drop as
    select k.product_id, c.*
    from (select k.product_id, k.sku from pg_temp.staged_key k order by 1) k
    join pg_temp.staged_product s on s.sku = k.sku
    cross join lateral (
        select n.position, n.uri, n.image_root_id, n.phash, n.file_version, i.uri is not null as is_stored,
            (i.uri, i.image_root_id) is distinct from (n.uri, n.image_root_id)
                or coalesce(n.file_version <> i.file_version, false) as replaces
        from (select (u.number - 1)::smallint as position, u.uri,
                  case when starts_with(u.uri, 'https://') or u.uri ~ '^(https?|s3|gs)://' then null
                      when u.file_version is not null or p_image_root_id is not null and not s.keeps_roots
                          then p_image_root_id
                      else coalesce((select o.image_root_id from shop.product_image o
                          where o.product_id = k.product_id and o.uri = u.uri
                          order by o.position limit 1), p_image_root_id) end as image_root_id,
                  u.phash::bit(64) as phash, u.file_version
              from unnest(s.image_uris, s.image_phashes, s.image_versions)
                  with ordinality as u(uri, phash, file_version, number)) n
        left join shop.product_image i on i.product_id = k.product_id and i.position = n.position
        where (i.uri, i.image_root_id) is distinct from (n.uri, n.image_root_id)
           or n.file_version is not null and n.file_version is distinct from i.file_version
           or n.phash <> i.phash
        union all
        select i.position, null, null, null, null, true, false
        from shop.product_image i where i.product_id = k.product_id and i.position >= cardinality(s.image_uris)) c;

    if exists (select from pg_temp.staged_image s where s.is_stored) then
        perform from shop.product_image i
        join pg_temp.staged_image s on s.product_id = i.product_id and s.position = i.position
        where s.is_stored order by i.product_id, i.position for no key update of i;
        perform shop_private.lock_image_work(array_agg(s.product_id), array_agg(s.position))
        from pg_temp.staged_image s where s.is_stored;

        delete from shop.product_image i using pg_temp.staged_image s
        where s.uri is null and i.product_id = s.product_id and i.position = s.position;

        update shop.product_image i
        set phash = coalesce(s.phash, i.phash), file_version = coalesce(s.file_version, i.file_version)
        from pg_temp.staged_image s
        where s.uri is not null and not s.replaces and i.product_id = s.product_id and i.position = s.position;
    end if;

    insert into shop.product_image as i (product_id, position, uri, image_root_id, phash, file_version)
    select s.product_id, s.position, s.uri, s.image_root_id, s.phash, s.file_version
    from pg_temp.staged_image s where s.replaces
    order by 1, 2
    on conflict (product_id, position) do update
    set uri = excluded.uri, image_root_id = excluded.image_root_id, phash = excluded.phash,
        file_version = excluded.file_version, sha256 = null, width = null, height = null;

    select count(*) filter (where s.replaces or s.uri is null) into written from pg_temp.staged_image s;
    drop table pg_temp.staged_image;
    return written;
end $$;
