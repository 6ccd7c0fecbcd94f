-- Makes the quarantined items of a model pending again. Images that wait for another fetch become due immediately. Call
-- the function after the cause of the errors is fixed. If p_catalog is not null, only the items of this catalog change.
-- If p_sku is not null, only the items of this product of p_catalog change. If p_host is not null, only the images of
-- this host change; p_host is the name of the host, with or without the port. If the host of such an image is paused,
-- the pause ends. For a caller who does not see every product, some pauses stay (see retry_items). Returns the number
-- of items. The function skips items that another session has locked, and items of products that row level security
-- hides from the caller (see work_retries).
create or replace function shop_private.work_retry(
    p_model_id smallint, p_catalog text default null, p_host text default null, p_sku text default null
) returns bigint
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    again bigint;
begin
    insert into shop_private.work_retries (model_id, catalog, host, sku) values (p_model_id, p_catalog, p_host, p_sku)
    returning items into again;
    return again;
end $$;
