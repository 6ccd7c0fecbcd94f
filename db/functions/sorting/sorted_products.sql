-- Returns p_limit of the products p_product_ids in the order p_sort (see sort_keys); product_id orders equal keys.
-- `place` counts from 1. `mark` names the product and its keys. For a further page, pass the mark and the place of the
-- last row of the page before as p_mark and p_skip. The page begins behind the product of the mark, so it neither
-- repeats nor skips a product if other products were inserted, deleted or changed. If this product itself was deleted,
-- or its keys have changed, the page begins behind the place p_skip.
create or replace function shop_private.sorted_products(
    p_product_ids uuid[], p_sort text, p_mark text, p_skip integer, p_limit integer
)
returns table (place bigint, product_id uuid, mark text)
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
declare
    sort constant record := shop_private.sort_keys(p_sort);
    named constant text := format('concat_ws(''.'', p.product_id, left(md5(row(%s)::text), 8))',
        (select string_agg('p.k' || n, ', ' order by n) from generate_subscripts(sort.keys, 1) n));
begin
    return query execute format($q$
        with keyed as materialized (
            select p.product_id, %1$s, case when %2$s then p.currency end as currency
            from shop.product p where p.product_id = any($1)
        ), placed as (
            select row_number() over (order by %3$s) as place, p.* from keyed p
        )
        select p.place, p.product_id, %4$s
        from placed p
        where p.place > coalesce((select p.place from placed p
                where p.product_id = split_part($2, '.', 1)::uuid and $2 = %4$s), $3)
            and (select shop_private.one_currency(%5$L, array_agg(distinct k.currency order by k.currency)
                filter (where k.currency is not null)) from keyed k)
        order by p.place limit $4$q$,
        (select string_agg(format('%s as k%s', sort.keys[n], n), ', ' order by n)
         from generate_subscripts(sort.keys, 1) n),
        sort.has_money, sort.ordering,
        named, sort.money)
    using p_product_ids, p_mark, p_skip, p_limit;
end $$;
