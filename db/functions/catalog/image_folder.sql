-- Returns the folder of the image root p_image_root_id. The image paths of products start at this folder, and the web
-- service serves the images below it.
create or replace function shop_private.image_folder(p_image_root_id smallint)
returns text language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    select r.folder from shop_private.image_root r where r.image_root_id = p_image_root_id
$$;
