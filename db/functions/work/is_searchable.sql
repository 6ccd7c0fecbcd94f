-- Returns an SQL condition on p (shop.product): no part of the product waits for the encoder, and the model has encoded
-- the title and, if the product has images, the first image. Other images may be quarantined.
create or replace function shop_private.is_searchable(p_model shop.model)
returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select format(
        'not exists (select from shop_private.work w
                     where w.product_id = p.product_id and w.model_id = %s
                       and (w.state <> ''quarantined'' or w.position = 0))
         and exists (select from shop.%I t where t.product_id = p.product_id)
         and (exists (select from shop.%I i where i.product_id = p.product_id and i.position = 0)
              or not exists (select from shop.product_image i where i.product_id = p.product_id))',
        p_model.model_id, p_model.name || '_title', p_model.name || '_image')
$$;
