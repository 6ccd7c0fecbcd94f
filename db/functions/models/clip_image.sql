-- Returns the vector of an image. The serving model computes the vector. The serving model stays the same until the
-- transaction ends (see shop.clip_text).
create or replace function shop.clip_image(image bytea) returns @vector@.halfvec
language plpgsql stable strict parallel restricted security definer cost 1000
set search_path = pg_catalog, pg_temp as $$
begin
    perform from shop.searchable limit 0;
    return shop_private.query_vector(
        (shop_private.model_of_views()).model_id, 'i', shop_private.image_payload(image));
end $$;
