-- Makes quarantined items, and images that wait for another fetch, pending and due for a call of work_retry (see
-- work_retries). Counts these items. If retry_caller has noted products, only items of these products change, and the
-- pause of a host ends only if all items of the host belong to these products. Otherwise a caller could end the pause
-- of a host from which other products get images.
create or replace function shop_private.retry_items() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    -- This function causes no deadlock with fetch_claim, fetch_failed or a load. It locks hosts in the order of their
    -- names, as fetch_claim does, and it waits for no item.
    with chosen as materialized (
        select f.host from shop_private.fetch_host f
        where (new.host is null or new.host in (f.host, regexp_replace(f.host, ':[0-9]+$', '')))
          and (new.catalog is null and new.products is null or exists (
              select from shop_private.work w join shop.product p using (product_id)
              where w.host = f.host and (new.catalog is null or p.catalog = new.catalog)
                and (new.sku is null or p.sku = new.sku)
                and (new.products is null or w.product_id in (select unnest(new.products)))))
          and (new.products is null or not exists (
              select from shop_private.work w
              where w.host = f.host and w.product_id not in (select unnest(new.products))))
        order by f.host for update of f
    )
    delete from shop_private.fetch_host f using chosen where f.host = chosen.host;
    with chosen as materialized (
        select w.ctid
        from shop_private.work w
        where w.model_id = new.model_id
          and (w.state = 'quarantined' or w.state = 'pending' and w.fetch_failures > 0)
          and (new.sku is null or w.product_id = shop.product_id(new.sku, new.catalog))
          and (new.host is null or new.host in (w.host, regexp_replace(w.host, ':[0-9]+$', '')))
          and (new.catalog is null or exists (
              select from shop.product p where p.product_id = w.product_id and p.catalog = new.catalog))
          and (new.products is null or w.product_id in (select unnest(new.products)))
        for update of w skip locked
    )
    update shop_private.work w
    set state = 'pending', batch_limit = null, attempts = 0, fetch_failures = 0,
        due_at = clock_timestamp(), error = null
    from chosen where w.ctid = chosen.ctid;
    get diagnostics new.items = row_count;
    return new;
end $$;

create or replace trigger step_2_items instead of insert on shop_private.work_retries
for each row execute function shop_private.retry_items();
