-- Returns the groups of shop.match_products in the form that the Shopee competition requires. There is a row for each
-- posting (product). The row lists all postings that match this posting, including the posting itself.
create or replace function shop.submission(catalog text default 'main')
returns table (posting_id text, matches text)
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
begin
    return query execute format(
        'select p.sku, string_agg(p.sku, '' '') over (partition by coalesce(m.group_id, p.product_id) order by p.sku
             rows between unbounded preceding and unbounded following)
         from shop.product p left join shop.match_products(catalog => $1) m on m.product_id = p.product_id
         where %s order by p.sku', shop_private.catalog_condition(catalog))
    using catalog;
end $$;
