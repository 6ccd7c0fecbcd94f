-- Creates the view shop.searchable over the vectors of model p_model. With p_model null, the view has no rows. The view
-- has a row for each product whose title and first image are encoded.
--
-- The view casts the vectors to halfvec without a dimension, so that the next model may have a different dimension. The
-- planner can use the HNSW index despite the casts and the inner joins.
create or replace function shop_private.create_searchable(p_model text)
returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
    execute format(
        'create or replace view shop.searchable with (security_invoker = true) as
         select p.product_id, p.catalog, p.sku, p.title, p.description, p.brand, p.product_type, p.price, p.currency,
             p.availability, p.gtin, p.mpn, p.item_group_id, p.link, p.image_link, p.color, p.size, p.material,
             p.condition, p.attributes, p.created_at, p.updated_at,
             i.embedding::@vector@.halfvec as image_embedding, t.embedding::@vector@.halfvec as title_embedding,
             p.sale_price, p.sale_starts_at, p.sale_ends_at, p.compare_at_price, p.quantity, p.rating, p.review_count,
             p.published_at,
             shop.effective_price(p.price, p.sale_price, p.sale_starts_at, p.sale_ends_at) as effective_price
         from shop.product p
         join %s i on i.product_id = p.product_id and i.position = 0
         join %s t on t.product_id = p.product_id',
        shop_private.vectors_of(p_model, 'image'), shop_private.vectors_of(p_model, 'title'));
    comment on view shop.searchable is 'A row for each product whose first image and title are encoded. '
        'Other products are in shop.product, and shop.search finds them by their words or by the vectors that '
        'they have.';
    perform shop_private.copy_column_comments('shop.product', 'shop.searchable');
    comment on column shop.searchable.effective_price is 'the price at the time of the statement';
    comment on column shop.searchable.image_embedding is 'vector of the first image; <=> is the cosine distance';
    comment on column shop.searchable.title_embedding is 'vector of the title; <=> is the cosine distance';
end $$;
