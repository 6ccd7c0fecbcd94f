-- Notes in a new watch (see new_watch) who creates the watch, and whether this role sees a product of the catalog. The
-- function must run with the rights of the caller.
create or replace function shop_private.watch_caller() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    new.created_by := current_user;
    new.seen := shop_private.sees_every_product() or shop_private.sees_catalog(new.catalog);
    return new;
end $$;

create or replace trigger step_1_caller instead of insert on shop_private.new_watch
for each row execute function shop_private.watch_caller();
