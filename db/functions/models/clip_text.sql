-- A text, a picture, a product of the catalog as a vector of the serving model, which stays the serving one until the
-- transaction ends (see serving.sql): the vector can be kept in a variable, and meets only vectors of its own model.
create or replace function shop.clip_text(query text) returns @vector@.halfvec
language plpgsql stable strict parallel restricted security definer cost 1000 set search_path = pg_catalog, pg_temp as $$
begin
    perform from shop.searchable limit 0;
    return shop_private.query_vector(
        (shop_private.model_of_views()).model_id, 't', shop_private.text_payload(query));
end $$;

create or replace function shop.clip_image(image bytea) returns @vector@.halfvec
language plpgsql stable strict parallel restricted security definer cost 1000 set search_path = pg_catalog, pg_temp as $$
begin
    perform from shop.searchable limit 0;
    return shop_private.query_vector(
        (shop_private.model_of_views()).model_id, 'i', shop_private.image_payload(image));
end $$;

create or replace function shop.product_vector(sku text, catalog text default 'main') returns @vector@.halfvec
language plpgsql stable strict parallel safe cost 100 set search_path = pg_catalog, pg_temp as $$
declare
    id constant uuid := shop.product_id(sku, catalog);
    v @vector@.halfvec;
begin
    perform from shop.searchable limit 0;
    select i.embedding into v from shop.image_vector i where i.product_id = id and i.position = 0;
    if v is null then
        raise exception using errcode = '42704', message = case
            when (shop_private.serving()).model_id is null then 'no model is serving'
            when exists (select from shop.product p where p.product_id = id)
            then format('product %L has no encoded picture', sku)
            else format('there is no product %L in catalog %L', sku, catalog) end;
    end if;
    return v;
end $$;
