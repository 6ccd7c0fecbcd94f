-- Counts the products that have each value of each field, and returns the share of the table that it read. n is the
-- place of the field in p_fields. number is the value as a number, or null if any product stores the value as another
-- type.
--
-- One pass over the table counts all fields, with a grouping set for each field. The fields can differ in the part of
-- the filter that they ignore. The pass then reads the rows that meet the condition of any field, and counts for each
-- field the rows that meet the condition of that field.
create or replace function shop_private.facet_counts(p_fields text[], p_filter jsonb, p_catalog text)
returns table (n integer, value text, number numeric, products bigint, share numeric)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    part record;  -- parts of the statement: field n is its column fn, condition n its column cn
    condition text;
    share double precision;
begin
    select string_agg(format('%s as f%s', f.expression, f.n), ', ') as columns,
        string_agg(distinct format('(%s) as c%s', f.condition, f.condition_number), ', ') as conditions,
        string_agg(distinct format('(%s)', f.condition), ' or ') as any_condition,
        string_agg(format('when grouping(f%1$s) = 0 then %1$s', f.n), ' ') as field,
        string_agg(format(case f.kind when 'text' then 'f%s' when 'number' then 'f%s::text'
            else 'f%s #>> ''{}''' end, f.n), ', ') as as_text,
        string_agg(format(case f.kind when 'text' then 'null::numeric' when 'number' then 'f%1$s'
            else 'case jsonb_typeof(f%1$s) when ''number'' then f%1$s::numeric end' end, f.n), ', ') as as_number,
        string_agg(format('when grouping(f%s) = 0 then count(*) filter (where c%s)', f.n, f.condition_number), ' ')
            as products,
        string_agg(format('(f%s)', f.n), ', ') as sets
    into part from shop_private.facet_fields(p_fields, p_filter) f;
    condition := format('(%s) and (%s)', shop_private.catalog_condition(p_catalog), part.any_condition);
    share := shop_private.facet_share(condition);

    return query execute format($q$
        select n, value, case when count(*) = count(number) then max(number) end, sum(products)::bigint, $1
        from (
            select case %1$s end as n, coalesce(%2$s) as value, coalesce(%3$s) as number, case %4$s end as products
            from (
                select %5$s, %6$s from shop.product p %7$s where %8$s
                offset 0  -- a fence: each expression is evaluated once a row
            ) as p
            group by grouping sets (%9$s)
        ) as s
        where products > 0 group by n, value$q$,
        part.field, part.as_text, part.as_number, part.products, part.columns, part.conditions,
        case when share < 1 then format('tablesample system (%s) repeatable (0)', 100 * share) end, condition,
        part.sets)
    using share::numeric;
end $$;
