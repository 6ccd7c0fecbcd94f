-- Returns p_limit of the products p_product_ids in the order p_sort (see sort_keys); product_id orders equal keys.
-- `place` is the rank of the product, counted from 1. `mark` names the product and the product before it, each with a
-- hash of its keys. For the next page, pass the mark and the place of the last row as p_mark and p_skip. The page
-- begins after the first product of p_mark. If this product is no longer in p_product_ids or its keys have changed, the
-- page begins after the second product of p_mark. So the page neither repeats nor skips a product if other products
-- were inserted or deleted. If the second product is also missing or its keys have changed, the page begins as if both
-- had been deleted: after p_skip products minus the number of products in p_mark (1 or 2).
--
-- A signal in p_sort is read for all of p_product_ids. Its values change with the time and with each refresh of its
-- distribution, even if the order stays the same, so they are not in the hash. With a signal, the first product of
-- p_mark is therefore used only if it still has the place p_skip or comes directly after the second product of p_mark.
-- The second product is used only if it still has the place p_skip - 1. `note` names the signals that could not be
-- read. Such a signal does not change the order.
create or replace function shop_private.sorted_products(
    p_product_ids uuid[], p_sort text, p_mark text, p_skip integer, p_limit integer
)
returns table (place bigint, product_id uuid, mark text, note text)
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
declare
    sort constant record := shop_private.sort_keys(p_sort);
    named constant text := format('concat_ws(''.'', p.product_id, left(md5(row(%s)::text), 8))',
        (select string_agg('p.k' || n, ', ' order by n) from generate_subscripts(sort.keys, 1) n
         where sort.signals[n] is null));
    part constant text[] := string_to_array(p_mark, '.');
    by_signal constant boolean := array_remove(sort.signals, null) <> '{}';
    read shop_private.signal_part[];  -- the signal of each key; null for a field
begin
    read := array(select shop_private.sort_signal(s.name, p_product_ids)
        from unnest(sort.signals) with ordinality s(name, n) order by s.n);
    return query execute format($q$
        with keyed as materialized (
            select p.product_id, %1$s, case when %2$s then p.currency end as currency
            from shop.product p%6$s where p.product_id = any($1)
        ), placed as materialized (
            select row_number() over (order by %3$s) as place, p.* from keyed p
        ), page as (
            select p.place, p.product_id, %4$s as named
            from placed p
            where p.place > coalesce(
                    (select p.place from placed p where p.product_id = $2 and %4$s = concat_ws('.', $2, $3)%7$s),
                    (select p.place from placed p where p.product_id = $4 and %4$s = concat_ws('.', $4, $5)%8$s),
                    $6 - num_nonnulls($2, $4))
                and (select shop_private.one_currency(%5$L, array_agg(distinct k.currency order by k.currency)
                    filter (where k.currency is not null)) from keyed k)
            order by p.place limit $7
        )
        select b.place, b.product_id, concat_ws('.', b.named, case when p.place is not null then %4$s end), %9$L
        from page b left join placed p on p.place = b.place - 1 order by b.place$q$,
        (select string_agg(format('%s as k%s', sort.keys[n], n), ', ' order by n)
         from generate_subscripts(sort.keys, 1) n),
        sort.has_money, sort.ordering, named, sort.money, case when by_signal then
            ' left join unnest($1, $8, $9, $10, $11, $12) s(product_id, v1, v2, v3, v4, v5) using (product_id)' end,
        case when by_signal then ' and p.place in '
            '($6, 1 + coalesce((select b.place from placed b where b.product_id = $4), 0))' end,
        case when by_signal then ' and p.place = $6 - 1' end,
        (select string_agg(format('the sort does not use the signal %s: %s', r.name, r.problem), '; ')
         from unnest(read) r where r.problem is not null))
    using p_product_ids, part[1]::uuid, part[2], part[3]::uuid, part[4], p_skip, p_limit, read[1].contributions,
        read[2].contributions, read[3].contributions, read[4].contributions, read[5].contributions;
end $$;
