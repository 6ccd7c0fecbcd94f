-- Returns the vector of an image, or null for a null image. The serving model computes the vector. The serving model
-- stays the same until the transaction ends (see shop.clip_text). With image_box, only a region of the image is
-- encoded. image_box lists the left, top, width and height of the region, as shares of the width and height of the
-- upright image that a viewer shows.
--
--   select shop.clip_image(pg_read_binary_file('/srv/room.jpg'), image_box => '{0.25, 0.5, 0.5, 0.5}');
create or replace function shop.clip_image(image bytea, image_box double precision[] default null)
returns @vector@.halfvec
language plpgsql stable parallel restricted security definer cost 1000
set search_path = pg_catalog, pg_temp as $$
begin
    if image is null then
        return null;
    end if;
    perform from shop.searchable limit 0;
    return shop_private.query_vector(
        (shop_private.model_of_views()).model_id, 'i', shop_private.image_payload(image, image_box));
end $$;
