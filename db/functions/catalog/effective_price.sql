-- Returns the price at which a product sells at the time of the statement: the sale price while the sale is on, and
-- otherwise the price. A sale price that is not below the price has no effect. A null start means that the sale has
-- begun, and a null end means that the sale has no end.
--
--   select sku, shop.effective_price(price, sale_price, sale_starts_at, sale_ends_at) from shop.product;
--
-- The function has no SET clause, so that the planner can inline it.
create or replace function shop.effective_price(
    price numeric, sale_price numeric, sale_starts_at timestamptz, sale_ends_at timestamptz
) returns numeric
language sql stable parallel safe as $$
select case
    when sale_price is not null
        and (sale_starts_at is null or sale_starts_at operator(pg_catalog.<=) pg_catalog.statement_timestamp())
        and (sale_ends_at is null or sale_ends_at operator(pg_catalog.>=) pg_catalog.statement_timestamp())
    then least(price, sale_price) else price end
$$;
