-- Counts the products of each brand, colour, price range and so on, which a search page shows beside its results.
--
-- The function counts all products that pass the filter, encoded or not: the products of shop.search's total and of
-- shop.browse. Each field ignores the filter's own condition on that field (its key at the top level of the filter), so
-- choosing a brand does not hide the other brands. The query does not narrow the counts, because a nearest-neighbour
-- search has no natural last result.
--
-- facet_counts counts every value. This function lists the most frequent values of a field, adds up the other values,
-- and divides numbers into ranges.
create or replace function shop.facets(
    query text default null, filter jsonb default null,
    fields text[] default array['product_type', 'brand', 'color', 'availability', 'price'],
    catalog text default 'main', limit_values integer default 20, buckets integer default 8
)
returns table (
    field text, value text, low numeric, high numeric, products bigint, kind text, exact boolean, note text
)
language plpgsql stable set search_path = pg_catalog, pg_temp
set jit = off as $$  -- compiling the long list of expressions would take longer than running it
#variable_conflict use_column
declare
    names constant text[] := array(
        select f from unnest(fields) with ordinality as u(f, n) group by f order by min(n));
    p_filter constant jsonb := coalesce(nullif(filter, 'null'), '{}');
begin
    perform shop_private.check_facets(names, limit_values, buckets);
    perform shop_private.filter_condition(p_filter);  -- reports a wrong filter before its keys are read
    return query
    with counted as materialized (
        select * from shop_private.facet_counts(names, p_filter, catalog)
    ),
    numeric_field as (
        select n from counted c where c.value is not null group by n having bool_and(c.number is not null)
    ),
    placed as (  -- most frequent first; all values beyond the limit share a place; null has the last place
        select n, c.value, c.products, c.share, case when c.value is null then limit_values + 2
            else least(limit_values + 1, row_number() over (
                partition by n, c.value is null order by c.products desc, c.value collate "C")) end as place
        from counted c where c.value is null or n not in (select n from numeric_field)
    ),
    listed as (
        select n, place::numeric as place, case when place <= limit_values then min(p.value) end as value,
            null::numeric as low, null::numeric as high, sum(p.products) as products,
            case when place <= limit_values then 'value' when place = limit_values + 1 then 'other' else 'missing' end
                as kind,
            case when place = limit_values + 1 then 'more values: ' || count(*) end as note, p.share
        from placed p group by n, place, p.share
    ),
    bounded as (
        select n, shop_private.nice_bounds(
            array_agg(c.number order by c.number), array_agg(c.products order by c.number), buckets) as bounds
        from counted c join numeric_field using (n) where c.value is not null group by n
    ),
    ranges as (
        select n, bounds[width_bucket(c.number, trim_array(bounds, 1))] as low, bounds[cardinality(bounds)] as top,
            sum(c.products) as products, c.share
        from counted c join bounded using (n) where c.value is not null group by 1, 2, 3, c.share
    )
    select names[r.n], r.value, r.low, r.high, round(r.products / r.share)::bigint, r.kind, r.share = 1,
        concat_ws('; ', r.note, 'counts all products that pass the filter',
            case when query is not null then 'the query is ignored' end,
            case when r.share < 1 then format('estimated from %s%% of the table', round(100 * r.share, 1)) end)
    from (select * from listed
          union all
          select n, low, null, low, coalesce(lead(low) over (partition by n order by low), top), products,
              'range', null, share
          from ranges) as r
    order by r.n, r.kind = 'missing', r.place;
end $$;
