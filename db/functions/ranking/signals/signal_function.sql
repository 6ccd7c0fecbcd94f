-- Returns the statement that creates the function of a signal. The role that executes the statement owns the function,
-- so the function reads p_relation with the rights of this role. For an array of different products, the created
-- function returns the normalised value of each product, from 0 to 1; a product without a value has null. For null, it
-- returns the 101 quantiles of the negated values, in ascending order.
--
-- The body does not join p_product_ids with the values, because the planner knows neither number of rows, and may
-- choose a nested loop. The clauses `offset 0` let PostgreSQL evaluate the expression for the number of a product only
-- once. A percentile between two quantiles is interpolated, so that products with different numbers have different
-- values.
--
-- Besides p_relation, the function reads only shop.signal and, for the key sku, shop.product. Every role can read the
-- source of the function, so the source does not name the catalog. The function waits at most 100 ms for a lock of
-- another session.
create or replace function shop_private.signal_function(
    p_name text, p_relation regclass, p_column text, p_type regtype, p_key text, p_catalog text, p_normalise text,
    p_half_life interval
)
returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    is_time constant boolean := p_type in ('date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype);
    is_boolean constant boolean := p_type = 'boolean'::regtype;
    -- the value as a number; for a time, its age in seconds
    number constant text := case
        when is_time then format('date_part(''epoch'', pg_catalog.now() - v.%I::timestamptz)', p_column)
        when is_boolean then format('v.%I::integer::double precision', p_column)
        else format('v.%I::double precision', p_column) end;
    normalised constant text := case p_normalise
        when 'percentile' then
            'case n.bucket when 0 then 1 when 101 then 0 else (101 - n.bucket '
            '- (n.number + bounds[n.bucket]) / (bounds[n.bucket] - bounds[n.bucket + 1])) / 100 end'
        when 'log' then 'case when bounds[1] < 0 then least(1, ln(1 + greatest(0, n.number)) / ln(1 - bounds[1])) '
            'else 0 end'
        else format('power(0.5::double precision, least(1000, greatest(0, n.number) / %s))', case when is_time
            then extract(epoch from p_half_life) else extract(epoch from p_half_life) / 86400 end) end;
    source constant text := case when p_key = 'product_id'
        then format('select v.product_id, %s as number from %s v where v.product_id = any(p_product_ids)',
            number, p_relation)
        else format('select p.product_id, %s as number from shop.product p join %s v on v.sku = p.sku%s '
            'where p.product_id = any(p_product_ids)', number, p_relation,
            case when p_catalog is not null
                then format(' and p.catalog = (select s.catalog from shop.signal s where s.name = %L)', p_name)
                else ' and v.catalog = p.catalog' end) end;
    body text;
begin
    body := format($body$
declare
    bounds constant double precision[] := (select s.bounds from shop.signal s where s.name = %1$L);
begin
    if p_product_ids is null then
        return (select percentile_cont(array(select q / 100.0 from generate_series(0, 100) q))
            within group (order by -(n.number)) from (select %2$s as number from %3$s v) n
            where n.number > '-infinity' and n.number < 'infinity');
    end if;
    return array(
        select max(f.value)
        from (
            select u.product_id, u.place, null as value from unnest(p_product_ids) with ordinality u(product_id, place)
            union all
            select n.product_id, null, %4$s
            from (select v.*, width_bucket(-v.number, bounds) as bucket from (%5$s offset 0) v offset 0) n
            where n.number > '-infinity' and n.number < 'infinity'
        ) f
        group by f.product_id order by max(f.place));
end $body$, p_name, number, p_relation, normalised, source);
    return format('create or replace function shop_signals.%I(p_product_ids uuid[]) returns double precision[] '
        'language plpgsql stable security definer set search_path = pg_catalog, pg_temp set lock_timeout = ''100ms'' '
        'set plan_cache_mode = force_generic_plan as %L', p_name, body);
end $$;
