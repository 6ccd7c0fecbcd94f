-- Creates the view shop.title_vector over the title vectors of model p_model. With p_model null, the view has no rows.
-- The view has only the columns that shop.search reads to rank products by title.
create or replace function shop_private.create_title_vector(p_model text)
returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
    execute format(
        'create or replace view shop.title_vector with (security_invoker = true) as
         select v.product_id, 0::smallint as position, v.embedding::@vector@.halfvec as embedding from %s v',
        shop_private.vectors_of(p_model, 'title'));
    comment on view shop.title_vector is 'The title vectors of the serving model.';
    comment on column shop.title_vector.product_id is 'key of the product';
    comment on column shop.title_vector.position is 'always 0, because a product has one title';
    comment on column shop.title_vector.embedding is 'vector of the title; <=> is the cosine distance';
end $$;
