-- Creates the view shop.image_vector over the image vectors of model p_model. With p_model null, the view has no rows.
-- The view has only the columns that shop.search reads to rank products by image.
create or replace function shop_private.create_image_vector(p_model text)
returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
    execute format(
        'create or replace view shop.image_vector with (security_invoker = true) as
         select v.product_id, v.position, v.embedding::@vector@.halfvec as embedding from %s v',
        shop_private.vectors_of(p_model, 'image'));
    comment on view shop.image_vector is 'The image vectors of the serving model.';
    comment on column shop.image_vector.product_id is 'key of the product';
    comment on column shop.image_vector.position is 'position of the image';
    comment on column shop.image_vector.embedding is 'vector of the image; <=> is the cosine distance';
end $$;
