-- Writes into the row of a call of work_retry (see work_retries) which products with work items the caller sees, or
-- null if the caller sees every product. The function must run with the rights of the caller.
create or replace function shop_private.retry_caller() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    new.products := null;
    if pg_has_role('@encoder@', 'usage') then  -- the encoder may not call sees_every_product
        return new;
    elsif not shop_private.sees_every_product() then
        new.products := array(
            select distinct w.product_id
            from shop_private.work w join shop.product p on p.product_id = w.product_id
            where w.model_id = new.model_id and (new.catalog is null or p.catalog = new.catalog)
              and (new.sku is null or p.sku = new.sku));
    end if;
    return new;
end $$;

create or replace trigger step_1_caller instead of insert on shop_private.work_retries
for each row execute function shop_private.retry_caller();
