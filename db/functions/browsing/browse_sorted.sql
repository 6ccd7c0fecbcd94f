-- Returns the products of a page of shop.browse in the order p_sort (see sort_keys), with their rank (`place`) and
-- their cursor. The cursor contains a hash of the sort, the rank, and up to two products, each with a hash of its keys:
-- the product of the row and the product before it, if there is one. The next page begins after the product of the row.
-- If that product was deleted or its keys have changed, the page begins after the product before it. If this product
-- was deleted or its keys have changed too, the page begins as if both had been deleted: the number of skipped products
-- is the rank in the cursor, minus the number of products in the cursor (1 or 2).
create or replace function shop_private.browse_sorted(
    p_filter jsonb, p_catalog text, p_k integer, p_sort text, p_after uuid, p_after_cursor text
)
returns table (place bigint, product_id uuid, cursor text)
language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp set jit = off as $$
declare
    sort constant record := shop_private.sort_keys(p_sort);
    name constant text := left(md5(p_sort), 8);
    mark constant text := '[.]([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})[.]([0-9a-f]{8})';
    part constant text[] := regexp_match(p_after_cursor,
        format('^sort-%s[.]([0-9]{1,9})%s(?:%2$s)?$', name, mark));
    skip bigint := coalesce(part[1]::bigint, 0);
    columns text;
    values text;
    hash text;
    after text := 'true';  -- the condition that a product comes behind the product m of the cursor
    anchor uuid;  -- the product behind which the page begins: it exists and has the same keys as before
    anchor_hash text;
begin
    if array_remove(sort.signals, null) <> '{}' then
        raise exception using errcode = '22023', message = 'a list without a query cannot be sorted by a signal',
            hint = 'shop.search sorts the products that are relevant to a query by a signal.';
    end if;
    select string_agg(format('%s as k%s', sort.keys[n], n), ', ' order by n), string_agg('p.k' || n, ', ' order by n)
    into columns, values from generate_subscripts(sort.keys, 1) n;
    hash := format('left(md5(row(%s)::text), 8)', values);
    if p_after is not null then
        raise exception using errcode = '22023', message = 'after is only for a list without sort and after_cursor',
            hint = 'Pass the value of the column cursor of the previous page''s last row as after_cursor.';
    end if;
    if p_after_cursor is not null and part is null then
        raise exception using errcode = '22023', message = 'after_cursor is not a cursor of this order',
            hint = 'Pass the value of the column cursor of the previous page''s last row, with the same sort.';
    end if;
    if part is not null then
        execute format('select p.product_id, %2$s, $1 - m.n + 1
            from unnest(array[$2, $4], array[$3, $5]) with ordinality as m(product_id, hash, n)
            join (select p.product_id, %1$s from shop.product p where p.product_id in ($2, $4)) p
                on p.product_id = m.product_id and %2$s = m.hash
            order by m.n limit 1', columns, hash)
        into anchor, anchor_hash, skip using skip, part[2]::uuid, part[3], part[4]::uuid, part[5];
        skip := coalesce(skip, greatest(part[1]::bigint - num_nonnulls(part[2], part[4]), 0));
    end if;
    if anchor is not null then
        after := 'p.product_id > m.product_id';
        for n in reverse cardinality(sort.keys) .. 1 loop
            after := format('(p.k%1$s %2$s m.k%1$s or p.k%1$s is null and m.k%1$s is not null '
                'or p.k%1$s is not distinct from m.k%1$s and %3$s)',
                n, case when sort.descending[n] then '<' else '>' end, after);
        end loop;
    end if;
    return query execute format($q$
        select $1 + row_number() over w, p.product_id, concat_ws('.', %1$L, $1 + row_number() over w, p.named,
            lag(p.named, 1, nullif(concat_ws('.', $2, $5), '')) over w)
        from (
            select p.*, concat_ws('.', p.product_id, %2$s) as named
            from (
                select p.*
                from (select p.product_id, %3$s from shop.product p where (%4$s) and (%5$s)) p
                left join (select p.product_id, %3$s from shop.product p where p.product_id = $2) m on true
                where %6$s order by %7$s limit $3 offset $4
            ) p
        ) p window w as (rows unbounded preceding)$q$,
        'sort-' || name, hash, columns, shop_private.catalog_condition(p_catalog),
        shop_private.filter_condition(p_filter), after,
        regexp_replace(sort.ordering, '(k[0-9]|product_id)', E'p.\\1', 'g'))
    using skip, anchor, p_k, case when anchor is null then skip else 0 end, anchor_hash;
end $$;
