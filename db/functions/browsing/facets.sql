-- How many products there are of each brand, colour, price range ...: what a search page shows beside its results.
--
-- Counted are products with an encoded picture that pass the filter. Each field leaves out the filter's own condition
-- on itself (its key at the top of the filter), so choosing a brand does not make the other brands vanish. The query
-- does not narrow: nearest neighbours have no edge to count up to.
--
-- The table is passed over once, whatever the fields: grouping sets count all of them, and where fields differ in what
-- they leave out, each counts with its own condition the rows that pass any of them. Beyond 100,000 matches a sample
-- of the table's pages is counted and scaled up.
create or replace function shop.facets(
    query text default null, filter jsonb default null,
    fields text[] default array['product_type', 'brand', 'color', 'availability', 'price'],
    catalog text default 'main', limit_values integer default 20, buckets integer default 8
)
returns table (
    field text, value text, low numeric, high numeric, products bigint, kind text, exact boolean, note text
)
language plpgsql stable set search_path = pg_catalog, pg_temp
set jit = off as $facets$  -- compiling the long list of expressions would take longer than running it
#variable_conflict use_column
declare
    exact_up_to constant bigint := 100000;
    sampled_rows constant bigint := 20000;
    texts constant text[] := array['availability', 'brand', 'color', 'condition', 'currency', 'item_group_id',
        'material', 'product_type', 'size'];
    named constant text[] := array(select f from unnest(fields) with ordinality as u(f, n) group by f order by min(n));
    p_filter constant jsonb := coalesce(nullif(filter, 'null'), '{}');
    unknown text;
    -- of the statement that counts; field n of `named` is its column fn, condition n its column cn
    columns text;
    conditions text;
    is_set text;
    as_text text;
    as_number text;
    count_of text;
    sets text;
    matching text;
    source text;
    encoded text := 'exists (select from shop.image_vector v where v.product_id = p.product_id)';
    rows_expected bigint;
    share double precision := 1;  -- of the table's pages that are looked at
    matches bigint;
begin
    if cardinality(named) not between 1 and 20 then
        raise exception using errcode = '22023', message = format('%s fields were asked for', cardinality(named)),
            hint = 'Name 1 to 20.';
    end if;
    if limit_values is null or limit_values not between 1 and 1000 then
        raise exception using errcode = '22023',
            message = format('limit_values is %s', coalesce(limit_values::text, 'null')),
            hint = 'It is how many values of a field are listed: 1 to 1000.';
    end if;
    if buckets is null or buckets not between 1 and 100 then
        raise exception using errcode = '22023', message = format('buckets is %s', coalesce(buckets::text, 'null')),
            hint = 'It is how many ranges numbers are divided into, at most: 1 to 100.';
    end if;
    foreach unknown in array named loop
        if unknown is null or unknown <> 'price' and unknown <> all (texts)
            and (not starts_with(unknown, 'attributes.') or unknown = 'attributes.') then
            raise exception using errcode = '22023',
                message = format('facets cannot be counted over %s', coalesce(quote_literal(unknown), 'a null field')),
                hint = 'There are: price, ' || array_to_string(texts, ', ') || ', attributes.<name>';
        end if;
    end loop;

    perform shop_private.filter_condition(p_filter);  -- says what is wrong with it before keys are taken from it
    with asked as (
        select n, f, p_filter - f as left_over, case when f = any (texts) then 'text' when f = 'price' then 'number'
            else 'json' end as kind
        from unnest(named) with ordinality as u(f, n)
    ),
    different as (
        select left_over, shop_private.filter_condition(left_over) as condition, row_number() over () as c
        from (select distinct left_over from asked) as d
    )
    select string_agg(format('%s as f%s', case when kind <> 'json' then format('p.%I', f) else 'p.attributes' || (
                select string_agg(format(' -> %L', replace(key, '\.', '.')), '' order by i)  -- a path, as in filters
                from regexp_split_to_table(substr(f, 12), '(?<!\\)\.') with ordinality as k(key, i)) end, n), ', '),
        string_agg(distinct format('(%s) as c%s', condition, c), ', '),
        string_agg(format('when grouping(f%s) = 0 then %s', n, n), ' '),
        string_agg(format(case kind when 'text' then 'f%s' when 'number' then 'f%s::text' else 'f%s #>> ''{}''' end, n),
            ', '),
        string_agg(format(case kind when 'text' then 'null::numeric' when 'number' then 'f%1$s'
            else 'case jsonb_typeof(f%1$s) when ''number'' then f%1$s::numeric end' end, n), ', '),
        string_agg(format('when grouping(f%s) = 0 then count(*) filter (where c%s)', n, c), ' '),
        string_agg(format('(f%s)', n), ', '),
        format('(%s) and (%s)', shop_private.catalog_condition(catalog),
            string_agg(distinct format('(%s)', condition), ' or '))
    into columns, conditions, is_set, as_text, as_number, count_of, sets, matching
    from asked join different using (left_over);

    select c.reltuples / c.relpages * (pg_relation_size(c.oid) / current_setting('block_size')::integer) into rows_expected
    from pg_class c where c.oid = 'shop.product'::regclass and c.reltuples > 0 and c.relpages > 0;
    if rows_expected > exact_up_to then
        share := least(1, sampled_rows::double precision / rows_expected);
        source := format('shop.product p tablesample system (%s) repeatable (0) where %s', 100 * share, matching);
        execute 'select count(*) from ' || source into matches;
    end if;
    if matches / share > exact_up_to then
        encoded := replace(encoded, ')', ' offset 0)');  -- looked up for each row of the sample, not joined
    else
        share := 1;
        source := 'shop.product p where ' || matching;
    end if;

    return query execute format($q$
with counted as materialized (
    select n, value, case when count(*) = count(number) then max(number) end as number, sum(products)::bigint as products
    from (
        select case %1$s end as n, coalesce(%2$s) as value, coalesce(%3$s) as number, case %4$s end as products
        from (
            select %5$s, %6$s from %7$s and %8$s
            offset 0  -- a fence: planned together with the grouping sets, the join would be a bad one
        ) as p
        group by grouping sets (%9$s)
    ) as s
    where products > 0 group by n, value
),
numeric_field as (
    select n from counted where value is not null group by n having bool_and(number is not null)
),
placed as (  -- most frequent first; all beyond the limit share a place, products without a value have the last
    select n, value, products, case when value is null then $2 + 2 else least($2 + 1, row_number() over (
        partition by n, value is null order by products desc, value collate "C")) end as place
    from counted where value is null or n not in (select n from numeric_field)
),
listed as (
    select n, place::numeric as place, case when place <= $2 then min(value) end as value, null::numeric as low,
        null::numeric as high, sum(products) as products,
        case when place <= $2 then 'value' when place = $2 + 1 then 'other' else 'missing' end as kind,
        case when place = $2 + 1 then 'more values: ' || count(*) end as note
    from placed group by n, place
),
bounded as (
    select n, shop_private.nice_bounds(array_agg(number order by number), array_agg(products order by number), $3) as bounds
    from counted join numeric_field using (n) where value is not null group by n
),
ranges as (
    select n, bounds[width_bucket(number, trim_array(bounds, 1))] as low, bounds[cardinality(bounds)] as top,
        sum(products) as products
    from counted join bounded using (n) where value is not null group by 1, 2, 3
)
select $1[n], value, low, high, round(products / $4)::bigint, kind, $4 = 1, concat_ws('; ', note, $5)
from (select * from listed
      union all
      select n, low, null, low, coalesce(lead(low) over (partition by n order by low), top), products, 'range', null
      from ranges) as every_row
order by n, kind = 'missing', place$q$,
    is_set, as_text, as_number, count_of, columns, conditions, source, encoded, sets)
    using named, limit_values, buckets, share::numeric, concat_ws('; ',
        'counts products with an encoded picture that pass the filter',
        case when query is not null then 'the query is ignored' end,
        case when share < 1 then format('estimated from %s%% of the table', round((100 * share)::numeric, 1)) end);
end $facets$;
