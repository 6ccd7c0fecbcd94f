-- Counts the products of each brand, colour, price range and so on. A search page shows these counts beside its
-- results.
--
-- The function counts all products that pass the filter, encoded or not. shop.browse lists the same products. The rules
-- of the shop change no counts. For each field, the function ignores the filter's condition on that field, so that
-- choosing a brand does not hide the other brands. The condition on a field is the field's key at the top level of the
-- filter. The operators of a query (see parse_query) always narrow the counts. The other words of a query narrow the
-- counts only with cut => 'relevant', which keeps the products that are relevant to the query (see shop.search). The
-- function then counts the products that pass the filter and the cut. The total of shop.search with the same arguments
-- counts the same products, except that it applies the rules and every condition of the filter. `exact` tells whether
-- the counts of a row are exact, and `note` tells how the counts were found.
--
-- The function lists the most frequent values of a field and adds up all other values in one row. It divides a field
-- that has only numbers into ranges; prices have separate ranges for each currency. The field effective_price is the
-- price at the time of the statement (shop.effective_price). value_json is the value with its type. row_filter is a
-- filter that finds the products of the row. It replaces the filter's condition on the field of the row. The row of all
-- other values has no row_filter. Objects, lists that contain objects or lists, and very long values always count among
-- the other values, because no filter can name them.
create or replace function shop.facets(
    query text default null, filter jsonb default null,
    fields text[] default array['product_type', 'brand', 'color', 'availability', 'price'],
    catalog text default 'main', limit_values integer default 20, buckets integer default 8,
    image bytea default null, inputs jsonb default null, image_weight double precision default null,
    title_weight double precision default null, keyword_weight double precision default null,
    degrade boolean default false, cut text default null, correct boolean default true
)
returns table (
    field text, value text, low numeric, high numeric, products bigint, kind text, exact boolean, note text,
    value_json jsonb, currency text, row_filter jsonb
)
language plpgsql stable rows 50 set search_path = pg_catalog, pg_temp
set jit = off as $$  -- compiling the long list of expressions takes longer than evaluating it
#variable_conflict use_column
declare
    names constant text[] := array(
        select f from unnest(fields) with ordinality as u(f, n) group by f order by min(n));
    p_filter constant jsonb := coalesce(nullif(filter, 'null'), '{}');
    -- A cut compares products with a text, an image or inputs, so it is ignored if none of them is given.
    request shop_private.search_request := row(nullif(query, ''), image, inputs, null, 1, catalog,
        image_weight, title_weight, keyword_weight, null, null, null, degrade, null,
        case when num_nonnulls(image, inputs) > 0 or query ~ E'\\S' then cut end,
        null, null, null, null, null, null, correct, null, null, null);
begin
    perform shop_private.check_facets(names, limit_values, buckets);
    perform shop_private.check_request(request);
    request := shop_private.read_query(request);
    request.cut := case when num_nonnulls(request.query, image, inputs) > 0 then request.cut end;
    perform shop_private.filter_condition(p_filter);  -- raises the error of a wrong filter before the keys are read
    return query
    with counted as materialized (
        select c.*, c.value #>> '{}' as text,
            case jsonb_typeof(c.value) when 'number' then c.value::numeric end as number,
            jsonb_typeof(c.value) = 'object'
                or coalesce(c.value @? 'strict $[*] ? (@.type() == "object" || @.type() == "array")', false)
                or length(c.value::text) > case jsonb_typeof(c.value) when 'number' then 100 else 10000 end as unnamed
        from shop_private.facet_counts(names, p_filter, request) c
    ),
    numeric_field as (
        select n from counted c where c.value is not null group by n having bool_and(c.number is not null)
    ),
    placed as (  -- the most frequent value comes first; values after the limit share a place; null is last
        select n, c.value, c.products, c.share, case when c.value is null then limit_values + 2
            when c.unnamed then limit_values + 1
            else least(limit_values + 1, row_number() over (
                partition by n, c.unnamed order by c.products desc, c.text collate "C", c.value)) end as place
        from counted c where c.value is null or n not in (select n from numeric_field)
    ),
    listed as (
        select n, null::text as currency, place::numeric as place,
            case when place <= limit_values then (array_agg(p.value))[1] end as value,
            null::numeric as low, null::numeric as high, sum(p.products) as products,
            case when place <= limit_values then 'value' when place = limit_values + 1 then 'other' else 'missing' end
                as kind,
            case when place = limit_values + 1 then 'more values: ' || count(*) end as note, p.share
        from placed p group by n, place, p.share
    ),
    bounded as (
        select n, c.currency, shop_private.nice_bounds(
            array_agg(c.number order by c.number), array_agg(c.products order by c.number), buckets) as bounds
        from counted c join numeric_field using (n) where c.value is not null group by n, c.currency
    ),
    ranges as (
        select n, c.currency, bounds[width_bucket(c.number, trim_array(bounds, 1))] as low,
            bounds[cardinality(bounds)] as top, sum(c.products) as products, c.share
        from counted c join bounded b using (n)
        where c.value is not null and b.currency is not distinct from c.currency group by 1, 2, 3, 4, c.share
    ),
    spans as (
        select *, lead(low) over span is null as last, coalesce(lead(low) over span, top) as high,
            sum(r.products) over (partition by n, r.currency) as of_currency
        from ranges r window span as (partition by n, r.currency order by low)
    )
    select names[r.n], r.value #>> '{}', r.low, r.high, round(r.products / r.share)::bigint, r.kind,
        r.share = 1 and k.cut_is is distinct from 'about' and k.cut_is is distinct from 'at least',
        concat_ws('; ', r.note, case when k.cut_is is null then 'counts all products that pass the filter'
                else 'counts the products that pass the filter and the cut' end,
            case when query is not null and k.cut_is is null then case when (request.parsed).condition is null
                then 'the query is ignored' else 'of the query, only phrases, exclusions and fields count' end end,
            case k.cut_is when 'about' then 'found by an index, which may miss some products'
                when 'at least' then 'more products pass than were counted' end,
            case when r.share = 1 then null
                when row_security_active('shop.product'::regclass) then 'estimated from a sample'
                else format('estimated from %s%% of the table', round(100 * r.share, 1)) end),
        r.value, r.currency, r.finds
    from (select l.*, null::numeric as of_currency, case l.kind when 'value' then jsonb_build_object(names[n],
                  case jsonb_typeof(l.value) when 'array' then jsonb_build_object('eq', l.value) else l.value end)
              when 'missing' then jsonb_build_object(names[n], null) end as finds
          from listed l
          union all
          select n, s.currency, low, null, low, s.high, s.products, 'range', null, share, of_currency,
              jsonb_build_object(
                  names[n], jsonb_build_object('gte', low, case when s.last then 'lte' else 'lt' end, s.high))
              || case when names[n] in ('price', 'effective_price') then jsonb_build_object('currency', s.currency)
                      else '{}' end
          from spans s) as r, (select max(c.cut_is) as cut_is from counted c) as k
    order by r.n, r.kind = 'missing', r.of_currency desc, r.currency, r.place;
end $$;
