-- Returns true if the products that are sorted by a price (p_field) have at most one currency. Otherwise raises an
-- error that names the currencies, because prices of different currencies have no order. If all other products
-- have the same currency, a product without a currency is assumed to have it too.
create or replace function shop_private.one_currency(p_field text, p_currencies text[])
returns boolean
language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
    if cardinality(p_currencies) > 1 then
        raise exception using errcode = '22023',
            message = format('the products cannot be sorted by %s: their prices are in %s', p_field,
                array_to_string(p_currencies, ', ')),
            hint = format('Filter by one currency, for example {"currency": "%s"}.', p_currencies[1]);
    end if;
    return true;
end $$;
