-- Returns a row for each field of shop.facets; n is the position of the field in p_fields. `expression` is the SQL that
-- reads the field from p (shop.product). `kind` is text, number or json. `condition` is the SQL of p_filter without the
-- key of this field. For the field, only products that meet `condition` are counted. Fields with equal conditions have
-- the same condition_number, so that each condition is tested once.
create or replace function shop_private.facet_fields(p_fields text[], p_filter jsonb)
returns table (n bigint, expression text, kind text, condition text, condition_number bigint)
language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    return query
    with field as (
        select u.n, u.name, p_filter - u.name as others,
            case when u.name = any (shop_private.facet_columns()) then 'text'
                when u.name in ('price', 'effective_price') then 'number'
                else 'json' end as kind
        from unnest(p_fields) with ordinality as u(name, n)
    ),
    tested as (
        select d.others, shop_private.filter_condition(d.others) as condition, row_number() over () as number
        from (select distinct f.others from field f) as d
    )
    select f.n, case f.kind
            when 'json' then 'p.attributes' || (
                select string_agg(format(' -> %L', replace(k.key, E'\\.', '.')), '' order by k.i)  -- "\." is a dot
                from regexp_split_to_table(substr(f.name, 12), E'(?<!\\\\)\\.') with ordinality as k(key, i))
            when 'number' then case f.name when 'price' then 'p.price'
                else 'shop.effective_price(p.price, p.sale_price, p.sale_starts_at, p.sale_ends_at)' end
            else format('p.%I', f.name) end,
        f.kind, t.condition, t.number
    from field f join tested t using (others);
end $$;
