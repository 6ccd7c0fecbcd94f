-- Deletes up to p_rows products of the catalog that pass the filter. Returns the number of deleted products, and
-- whether further products pass. If every product passes the filter, the function raises an error, unless p_every is
-- true.
--
-- Locks are taken in the order of product_id, so two deletions cannot deadlock. A product that another transaction
-- changes is deleted only if the changed row passes, because FOR UPDATE checks such a row again.
create or replace function shop_private.delete_filtered(
    p_catalog text, p_filter jsonb, p_rows integer, p_every boolean, out deleted bigint, out more boolean
) language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    in_catalog constant text := shop_private.catalog_condition(p_catalog);
    condition constant text := shop_private.filter_condition(p_filter);
begin
    if not p_every then
        execute format('select not exists (select from shop.product p where %s and (%s) is not true)',
                       in_catalog, condition) into more;
        if more then
            raise exception using errcode = '22023', message = 'every product of the catalog passes the filter',
                hint = 'To delete every product of the catalog, send "all": true.';
        end if;
    end if;
    execute format(
        'with found as (select p.product_id from shop.product p where %s and %s order by p.product_id limit $1
                        for update)
         delete from shop.product p using found f where p.product_id = f.product_id', in_catalog, condition)
    using p_rows;
    get diagnostics deleted = row_count;
    execute format('select exists (select from shop.product p where %s and %s)', in_catalog, condition) into more;
end $$;
