-- Creates the view shop.searchable_image over the vectors of model p_model. With p_model null, the view has no rows.
-- The view has a row for each encoded image, with the image's product. create_searchable.sql explains the joins and
-- casts.
create or replace function shop_private.create_searchable_image(p_model text)
returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
    execute format(
        'create or replace view shop.searchable_image with (security_invoker = true) as
         select p.product_id, p.catalog, p.sku, p.title, p.description, p.brand, p.product_type, p.price, p.currency,
             p.availability, p.gtin, p.mpn, p.item_group_id, p.link, p.image_link, p.color, p.size, p.material,
             p.condition, p.attributes, p.created_at, p.updated_at,
             i.position, f.uri, i.embedding::@vector@.halfvec as image_embedding,
             p.sale_price, p.sale_starts_at, p.sale_ends_at, p.compare_at_price, p.quantity, p.rating, p.review_count,
             p.published_at,
             shop.effective_price(p.price, p.sale_price, p.sale_starts_at, p.sale_ends_at) as effective_price
         from shop.product p
         join %s i on i.product_id = p.product_id
         join shop.product_image f on f.product_id = i.product_id and f.position = i.position',
        shop_private.vectors_of(p_model, 'image'));
    comment on view shop.searchable_image is 'A row for each encoded image, with its product.';
    perform shop_private.copy_column_comments('shop.product', 'shop.searchable_image');
    comment on column shop.searchable_image.position is 'position of the image; 0 is the first image of the product';
    comment on column shop.searchable_image.uri is 'path of the image below its image root, or its address';
    comment on column shop.searchable_image.effective_price is 'the price at the time of the statement';
    comment on column shop.searchable_image.image_embedding is 'vector of the image; <=> is the cosine distance';
end $$;
