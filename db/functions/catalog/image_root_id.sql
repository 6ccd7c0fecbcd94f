-- Returns the id of p_folder, an image folder. If the folder is not stored, the function stores the folder first. A
-- stored folder keeps its id.
create or replace function shop_private.image_root_id(p_folder text)
returns smallint language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    found_id smallint;
begin
    select r.image_root_id into found_id from shop_private.image_root r where r.folder = p_folder;
    if not found then  -- each INSERT uses up one of the few ids of a smallint, even on a conflict
        insert into shop_private.image_root (folder) values (p_folder) on conflict (folder) do nothing;
        select r.image_root_id into strict found_id from shop_private.image_root r where r.folder = p_folder;
    end if;
    return found_id;
end $$;
