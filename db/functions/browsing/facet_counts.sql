-- Counts the products for each value of each field. n is the position of the field in p_fields. `value` keeps the type
-- of the field, and is null for the products without a value. Prices are counted separately for each currency. `share`
-- is the fraction of the table that was read, and `products` is the number of products in that fraction.
--
-- One scan of the table counts all fields, with a grouping set for each field. The counts of a field ignore the part of
-- the filter that names this field, so each field has a filter of its own (see facet_fields). The scan reads the rows
-- that pass the filter of at least one field. A row is counted for a field only if the row passes the filter of this
-- field.
--
-- If p_request has a cut, which drops products that are not relevant to the query, only the products that facet_cut
-- returns are counted. cut_is then says how exact the number of these products is: exact, about or at least. Without a
-- cut, cut_is is null. The filter is p_filter; the filter of p_request is null.
create or replace function shop_private.facet_counts(
    p_fields text[], p_filter jsonb, p_request shop_private.search_request
)
returns table (n integer, value jsonb, currency text, products bigint, share numeric, cut_is text)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    part record;  -- parts of the statement; the column f1 is field 1, and the column c1 is condition 1
    condition text;
    share double precision;
    cut shop_private.search_cut;
begin
    select string_agg(format(case f.kind when 'number'
            then '%1$s as f%2$s, case when %1$s is not null then p.currency end as u%2$s'
            else '%1$s as f%2$s' end, f.expression, f.n), ', ') as columns,
        string_agg(distinct format('(%s) as c%s', f.condition, f.condition_number), ', ') as conditions,
        string_agg(distinct format('(%s)', f.condition), ' or ') as any_condition,
        string_agg(format('when grouping(f%1$s) = 0 then %1$s', f.n), ' ') as field,
        string_agg(format('to_jsonb(f%s)', f.n), ', ') as value,
        string_agg(format('u%s', f.n), ', ') filter (where f.kind = 'number') as currency,
        string_agg(format('when grouping(f%s) = 0 then count(*) filter (where c%s)', f.n, f.condition_number), ' ')
            as products,
        string_agg(format(case f.kind when 'number' then '(f%1$s, u%1$s)' else '(f%1$s)' end, f.n), ', ') as sets
    into part from shop_private.facet_fields(p_fields, p_filter) f;
    condition := format('(%s) and (%s)', shop_private.catalog_condition(p_request.catalog), part.any_condition)
        || coalesce(' and ' || (p_request.parsed).condition, '');
    if p_request.cut is null then
        share := shop_private.facet_share(condition);
    else
        cut := shop_private.facet_cut(p_request, condition);
        condition := condition || ' and p.product_id = any($2)';
        share := 1;
    end if;

    return query execute format($q$
        select n, value, currency, sum(products)::bigint, $1, $3
        from (
            select case %1$s end as n, nullif(coalesce(%2$s), 'null') as value, coalesce(%3$s) as currency,
                case %4$s end as products
            from (
                select %5$s, %6$s from shop.product p %7$s where %8$s
                offset 0  -- keeps the planner from evaluating an expression twice for a row
            ) as p
            group by grouping sets (%9$s)
        ) as s
        where products > 0 group by n, value, currency$q$,
        part.field, part.value, coalesce(part.currency, 'null::text'), part.products, part.columns, part.conditions,
        case when share < 1 then format('tablesample system (%s) repeatable (0)', 100 * share) end, condition,
        part.sets)
    using share::numeric, cut.product_ids, cut.total_is;
end $$;
