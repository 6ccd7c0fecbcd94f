-- Raises an error if a list is sorted by a price (p_money) and the products that pass the filter have prices in several
-- currencies. p_money is null if no key is a price. p_has_money is the condition that a product has one of the prices
-- by which the list is sorted (see sort_keys). If the filter requires a single currency, as a plain value or by eq, the
-- function reads nothing. If the catalog has only one currency, it reads two entries of the index on the currency.
create or replace function shop_private.browse_currency(
    p_money text, p_has_money text, p_filter jsonb, p_catalog text
)
returns void
language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
declare
    currencies text[];
begin
    if p_money is null or jsonb_typeof(p_filter -> 'currency') = 'string'
        or jsonb_typeof(p_filter -> 'currency' -> 'eq') = 'string'
    then
        return;
    end if;
    currencies := array(select distinct c from (
        (select p.currency from shop.product p where p.catalog = p_catalog and p.currency is not null
         order by p.currency limit 1)
        union all
        (select p.currency from shop.product p where p.catalog = p_catalog and p.currency is not null
         order by p.currency desc limit 1)) u(c) order by 1);
    if cardinality(currencies) > 1 then
        execute format('select array_agg(distinct p.currency order by p.currency) from shop.product p
            where p.currency is not null and (%s) and (%s) and (%s)', p_has_money,
            shop_private.catalog_condition(p_catalog), shop_private.filter_condition(p_filter))
        into currencies;
        perform shop_private.one_currency(p_money, currencies);
    end if;
end $$;
