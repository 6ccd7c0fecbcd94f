-- Makes the quarantined items of a model pending again. Images that wait for another fetch become due immediately. Call
-- the function after the cause of the errors is fixed. If p_catalog is not null, only the items of this catalog change.
-- If p_sku is not null, only the items of this product of p_catalog change. If p_host is not null, only the images of
-- this host change; p_host is the name of the host, with or without the port. The hosts of these images are tried
-- immediately. Returns the number of items. The function skips an item that another session has locked.
create or replace function shop_private.work_retry(
    p_model_id smallint, p_catalog text default null, p_host text default null, p_sku text default null
) returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    again bigint;
begin
    -- This function causes no deadlock with fetch_claim, fetch_failed or a load. It locks hosts in the order of their
    -- names, as fetch_claim does, and it waits for no item.
    with chosen as materialized (
        select f.host from shop_private.fetch_host f
        where (p_host is null or p_host in (f.host, regexp_replace(f.host, ':[0-9]+$', '')))
          and (p_catalog is null or exists (
              select from shop_private.work w join shop.product p using (product_id)
              where w.host = f.host and p.catalog = p_catalog and (p_sku is null or p.sku = p_sku)))
        order by f.host for update of f
    )
    delete from shop_private.fetch_host f using chosen where f.host = chosen.host;
    with chosen as materialized (
        select w.ctid
        from shop_private.work w
        where w.model_id = p_model_id
          and (w.state = 'quarantined' or w.state = 'pending' and w.fetch_failures > 0)
          and (p_sku is null or w.product_id = shop.product_id(p_sku, p_catalog))
          and (p_host is null or p_host in (w.host, regexp_replace(w.host, ':[0-9]+$', '')))
          and (p_catalog is null or exists (
              select from shop.product p where p.product_id = w.product_id and p.catalog = p_catalog))
        for update of w skip locked
    )
    update shop_private.work w
    set state = 'pending', batch_limit = null, attempts = 0, fetch_failures = 0,
        due_at = clock_timestamp(), error = null
    from chosen where w.ctid = chosen.ctid;
    get diagnostics again = row_count;
    return again;
end $$;
