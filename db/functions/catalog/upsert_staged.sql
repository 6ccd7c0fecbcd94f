-- The one way a catalog row enters. Reads the session's temporary table staged_product (see db/catalog.py), whose
-- rows are valid and unique by sku, and makes products and pictures equal to it: the columns of a staged row replace
-- the stored ones, its list of pictures replaces the stored list. What is already equal is not touched, so nothing
-- is encoded again for it; a product of which only pictures change counts as unchanged. No now() in ON CONFLICT DO
-- UPDATE: updated_at comes with the row.
--
-- The chunk is looked up by keys: the planner knows nothing of it, and would read the whole catalog for each.
create or replace function shop.upsert_staged(catalog text default 'main', image_root_id smallint default null)
returns table (inserted bigint, updated bigint, unchanged bigint, pictures bigint)
language plpgsql volatile
set search_path = pg_catalog, pg_temp set enable_hashjoin = off set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    p_catalog constant text := catalog;
    p_image_root_id constant smallint := image_root_id;
    written bigint;
    staged bigint;
begin
    -- In the order in which everybody locks products. Short, so that it is sorted in memory.
    create temporary table staged_key on commit drop as
    select k.product_id, k.sku
    from (select shop.product_id(s.sku, p_catalog) as product_id, s.sku from pg_temp.staged_product s) k
    order by k.product_id;
    get diagnostics staged = row_count;

    -- Equal rows are left out before the insert: ON CONFLICT would lock, and so write, each of them.
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

    create temporary table staged_image on commit drop as
    select k.product_id, (i.n - 1)::smallint as position, i.uri,
        case when i.uri ~ '^(https?|s3|gs)://' then null else p_image_root_id end as image_root_id,
        i.phash::bit(64) as phash
    from pg_temp.staged_key k
    join pg_temp.staged_product s on s.sku = k.sku,
    unnest(s.image_uris, s.image_phashes) with ordinality as i(uri, phash, n);

    delete from shop.product_image i
    using pg_temp.staged_key k join pg_temp.staged_product s on s.sku = k.sku
    where i.product_id = k.product_id and i.position >= cardinality(s.image_uris);
    get diagnostics pictures = row_count;

    insert into shop.product_image as i (product_id, position, uri, image_root_id, phash)
    select s.product_id, s.position, s.uri, s.image_root_id, s.phash
    from pg_temp.staged_image s
    left join shop.product_image i on i.product_id = s.product_id and i.position = s.position
    where (i.uri, i.image_root_id) is distinct from (s.uri, s.image_root_id)
    order by 1, 2
    on conflict (product_id, position) do update
    set uri = excluded.uri, image_root_id = excluded.image_root_id, phash = excluded.phash,
        sha256 = null, width = null, height = null;
    get diagnostics written = row_count;
    pictures := pictures + written;

    update shop.product_image i set phash = s.phash  -- a feed that corrects its own hash
    from pg_temp.staged_image s
    where s.phash is not null and i.product_id = s.product_id and i.position = s.position and i.phash <> s.phash;

    drop table pg_temp.staged_image, pg_temp.staged_key;
    return next;
end $$;
