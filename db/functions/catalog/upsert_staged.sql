-- Makes the stored products and images equal to the rows of the session's temporary table staged_product (see
-- db/catalog/store.py). The rows are valid, and each sku occurs once. The columns of a staged row replace the stored
-- columns, and the row's list of images replaces the stored list. The loader and the web service write every product
-- through this function. image_root_id is stored with each image whose uri is a path; an image with a web or bucket
-- address has no image root. For a path that the product has already, see upsert_staged_images.
--
-- A stored row that is equal to its staged row is neither written nor encoded again. A product of which only the images
-- changed counts as unchanged. The result column `pictures` is the number of images that were deleted, added or
-- replaced. updated_at of an inserted or updated product is the time of the statement.
--
-- Sessions may write the same products at the same time. Each product then has the columns and the images of one of
-- these sessions. The reason is that the function writes both while it holds the lock of the product's row. The
-- function does not lock a product if a single snapshot shows that its columns and its images already equal the staged
-- row.
--
-- Hash and merge joins are disabled, so that stored rows are looked up by key. The planner has no statistics of the
-- temporary table, and would otherwise read the whole catalog for each chunk of a load.
create or replace function shop.upsert_staged(catalog text default 'main', image_root_id smallint default null)
returns table (inserted bigint, updated bigint, unchanged bigint, pictures bigint)
language plpgsql volatile rows 1
set search_path = pg_catalog, pg_temp set enable_hashjoin = off set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    p_catalog constant text := catalog;
    p_image_root_id constant smallint := image_root_id;
    language constant text := coalesce((select c.language from shop.catalog c where c.catalog = p_catalog), 'english');
begin
    -- staged_key has the products that differ from their staged rows. The keys are sorted before the joins, because two
    -- columns fit in memory and whole rows may not.
    create temporary table staged_key on commit drop as
    select k.product_id, k.sku
    from (select shop.product_id(s.sku, p_catalog) as product_id, s.sku
          from pg_temp.staged_product s order by 1) k
    join pg_temp.staged_product s on s.sku = k.sku
    left join shop.product p on p.product_id = k.product_id
    where (p.title, p.description, p.brand, p.product_type, p.price, p.currency, p.availability, p.gtin, p.mpn,
           p.item_group_id, p.link, p.image_link, p.color, p.size, p.material, p.condition, p.sale_price,
           p.sale_starts_at, p.sale_ends_at, p.compare_at_price, p.quantity, p.rating, p.review_count,
           p.published_at, p.attributes)
        is distinct from
          (s.title, s.description, s.brand, s.product_type, s.price, s.currency, s.availability, s.gtin, s.mpn,
           s.item_group_id, s.link, s.image_link, s.color, s.size, s.material, s.condition, s.sale_price,
           s.sale_starts_at, s.sale_ends_at, s.compare_at_price, s.quantity, s.rating, s.review_count,
           s.published_at, s.attributes)
       or not (  -- the images differ; upsert_staged_images has the same conditions
            select count(*) = cardinality(s.image_uris) and coalesce(bool_and(
                coalesce(i.uri = s.image_uris[i.position + 1], false)
                and (i.image_root_id is not distinct from
                    case when i.uri ~ '^(https?|s3|gs)://' then null else p_image_root_id end
                    or s.image_versions[i.position + 1] is null and (p_image_root_id is null or s.keeps_roots))
                and i.file_version is not distinct from coalesce(s.image_versions[i.position + 1], i.file_version)
                and coalesce(i.phash = s.image_phashes[i.position + 1]::bit(64), true)), true)
            from shop.product_image i where i.product_id = k.product_id);

    -- Every call locks products in the order of product_id. The INSERT locks all products of staged_key, in this order.
    -- It also locks the products that need no update: those of which only the images differ, and those whose columns
    -- another session has made equal.
    with changed as (
        insert into shop.product as p (
            product_id, catalog, sku, title, description, brand, product_type, price, currency, availability, gtin,
            mpn, item_group_id, link, image_link, color, size, material, condition, sale_price, sale_starts_at,
            sale_ends_at, compare_at_price, quantity, rating, review_count, published_at, attributes, language,
            updated_at)
        select k.product_id, p_catalog, s.sku, s.title, s.description, s.brand, s.product_type,
            s.price, s.currency, s.availability, s.gtin, s.mpn, s.item_group_id, s.link, s.image_link, s.color,
            s.size, s.material, s.condition, s.sale_price, s.sale_starts_at, s.sale_ends_at, s.compare_at_price,
            s.quantity, s.rating, s.review_count, s.published_at, s.attributes, language, statement_timestamp()
        from (select k.product_id, k.sku from pg_temp.staged_key k order by 1) k
        join pg_temp.staged_product s on s.sku = k.sku
        order by k.product_id
        on conflict (product_id) do update set
            title = excluded.title, description = excluded.description, brand = excluded.brand,
            product_type = excluded.product_type, price = excluded.price, currency = excluded.currency,
            availability = excluded.availability, gtin = excluded.gtin, mpn = excluded.mpn,
            item_group_id = excluded.item_group_id, link = excluded.link, image_link = excluded.image_link,
            color = excluded.color, size = excluded.size, material = excluded.material,
            condition = excluded.condition, sale_price = excluded.sale_price,
            sale_starts_at = excluded.sale_starts_at, sale_ends_at = excluded.sale_ends_at,
            compare_at_price = excluded.compare_at_price, quantity = excluded.quantity, rating = excluded.rating,
            review_count = excluded.review_count, published_at = excluded.published_at,
            attributes = excluded.attributes, updated_at = excluded.updated_at
        where (p.title, p.description, p.brand, p.product_type, p.price, p.currency, p.availability, p.gtin, p.mpn,
               p.item_group_id, p.link, p.image_link, p.color, p.size, p.material, p.condition, p.sale_price,
               p.sale_starts_at, p.sale_ends_at, p.compare_at_price, p.quantity, p.rating, p.review_count,
               p.published_at, p.attributes)
            is distinct from
              (excluded.title, excluded.description, excluded.brand, excluded.product_type, excluded.price,
               excluded.currency, excluded.availability, excluded.gtin, excluded.mpn, excluded.item_group_id,
               excluded.link, excluded.image_link, excluded.color, excluded.size, excluded.material,
               excluded.condition, excluded.sale_price, excluded.sale_starts_at, excluded.sale_ends_at,
               excluded.compare_at_price, excluded.quantity, excluded.rating, excluded.review_count,
               excluded.published_at, excluded.attributes)
        returning xmax = 0 as is_new
    )
    select count(*) filter (where is_new), count(*) filter (where not is_new) into inserted, updated from changed;
    unchanged := (select count(*) from pg_temp.staged_product) - inserted - updated;

    pictures := shop_private.upsert_staged_images(p_image_root_id);
    drop table pg_temp.staged_key;
    return next;
end $$;
