-- Returns the vector that the serving model computed for a product's first image. The serving model stays the same
-- until the transaction ends (see shop.clip_text). Raises an error if no model is serving, if the product does not
-- exist, or if its first image is not encoded.
create or replace function shop.product_vector(sku text, catalog text default 'main') returns @vector@.halfvec
language plpgsql stable strict parallel safe cost 100 set search_path = pg_catalog, pg_temp as $$
declare
    id constant uuid := shop.product_id(sku, catalog);
    v @vector@.halfvec;
begin
    perform from shop.searchable limit 0;
    select i.embedding into v from shop.image_vector i where i.product_id = id and i.position = 0;
    if v is null and (shop_private.serving()).model_id is null then
        raise exception using errcode = 'WS005', message = 'no model is serving',
            hint = 'Add a model with "windowshop model add starter", then "windowshop model serve starter".';
    elsif v is null then
        raise exception using errcode = '42704', message = case
            when exists (select from shop.product p where p.product_id = id)
            then format('product %L has no encoded image', sku)
            else format('there is no product %L in catalog %L', sku, catalog) end;
    end if;
    return v;
end $$;
