-- Makes the stored products and images equal to the rows of the session's temporary table staged_product (see
-- db/catalog/store.py). The rows are valid, and each sku occurs once. The columns of a staged row replace the stored
-- columns, and the row's list of images replaces the stored list. The loader and the web service write every product
-- through this function. image_root_id is stored with each image whose uri is a path; an image with a web or bucket
-- address has no image root.
--
-- A stored row that is equal to its staged row is neither written nor encoded again. A product of which only the images
-- changed counts as unchanged. The result column `pictures` is the number of images that were deleted, added or
-- replaced. An update copies updated_at from the row that the INSERT proposed, and reads no clock.
--
-- Hash and merge joins are disabled, so that stored rows are looked up by key. The planner has no statistics of the
-- temporary table. Without this setting, it would read the whole catalog for each chunk of a load.
create or replace function shop.upsert_staged(catalog text default 'main', image_root_id smallint default null)
returns table (inserted bigint, updated bigint, unchanged bigint, pictures bigint)
language plpgsql volatile rows 1
set search_path = pg_catalog, pg_temp set enable_hashjoin = off set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    p_catalog constant text := catalog;
    p_image_root_id constant smallint := image_root_id;
    staged bigint;
begin
    -- Every writer locks products in the order of product_id, so the keys are sorted in this order. staged_key has only
    -- two columns, so that the sort fits in memory.
    create temporary table staged_key on commit drop as
    select k.product_id, k.sku
    from (select shop.product_id(s.sku, p_catalog) as product_id, s.sku from pg_temp.staged_product s) k
    order by k.product_id;
    get diagnostics staged = row_count;

    -- Equal rows are excluded before the insert, because ON CONFLICT would lock each equal row, and a lock is a write.
    with changed as (
        insert into shop.product as p (
            product_id, catalog, sku, title, description, brand, product_type, price, currency, availability, gtin,
            mpn, item_group_id, link, image_link, color, size, material, condition, attributes, updated_at)
        select k.product_id, p_catalog, s.sku, s.title, s.description, s.brand, s.product_type,
            s.price, s.currency, s.availability, s.gtin, s.mpn, s.item_group_id, s.link, s.image_link, s.color,
            s.size, s.material, s.condition, s.attributes, statement_timestamp()
        from pg_temp.staged_key k
        join pg_temp.staged_product s on s.sku = k.sku
        left join shop.product p on p.product_id = k.product_id
        where (p.title, p.description, p.brand, p.product_type, p.price, p.currency, p.availability, p.gtin, p.mpn,
               p.item_group_id, p.link, p.image_link, p.color, p.size, p.material, p.condition, p.attributes)
            is distinct from
              (s.title, s.description, s.brand, s.product_type, s.price, s.currency, s.availability, s.gtin, s.mpn,
               s.item_group_id, s.link, s.image_link, s.color, s.size, s.material, s.condition, s.attributes)
        order by 1
        on conflict (product_id) do update set
            title = excluded.title, description = excluded.description, brand = excluded.brand,
            product_type = excluded.product_type, price = excluded.price, currency = excluded.currency,
            availability = excluded.availability, gtin = excluded.gtin, mpn = excluded.mpn,
            item_group_id = excluded.item_group_id, link = excluded.link, image_link = excluded.image_link,
            color = excluded.color, size = excluded.size, material = excluded.material,
            condition = excluded.condition, attributes = excluded.attributes, updated_at = excluded.updated_at
        returning xmax = 0 as is_new
    )
    select count(*) filter (where is_new), count(*) filter (where not is_new) into inserted, updated from changed;
    unchanged := staged - inserted - updated;

    pictures := shop_private.upsert_staged_images(p_image_root_id);
    drop table pg_temp.staged_key;
    return next;
end $$;
