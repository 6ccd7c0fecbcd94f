-- Returns those pairs of a watch and a product in which the product passes the filter of the watch. The arrays are
-- parallel: one element for each pair. One statement tests all pairs: it has each distinct filter once, and finds the
-- filter of a pair by its number in two steps.
create or replace function shop_private.watch_passing(p_watches integer[], p_products uuid[])
returns table (watch_id integer, product_id uuid)
language plpgsql volatile rows 100 set search_path = pg_catalog, pg_temp set jit = off as $$
declare
    condition text;
    numbers integer[];  -- the number of the filter of each pair
begin
    with filters as (
        select f.condition, (row_number() over (order by f.condition) - 1)::integer as number
        from (select distinct w.condition from shop.watch w where w.watch_id = any (p_watches)) f
    ), tests as (
        select f.number / 32 as block,
            string_agg(format('when %s then %s', f.number % 32, f.condition), ' ' order by f.number) as tests
        from filters f group by 1
    )
    select (select format('case c.filter / 32 %s end', string_agg(
            format('when %s then case c.filter %% 32 %s end', t.block, t.tests), ' ')) from tests t),
        (select array_agg(f.number order by g.place)
         from unnest(p_watches) with ordinality g(watch_id, place)
         left join shop.watch w using (watch_id) left join filters f using (condition))
    into condition, numbers;
    if condition is not null then
        return query execute format(
            'select c.watch_id, c.product_id from unnest($1, $2, $3) c(watch_id, product_id, filter)
             join shop.product p using (product_id) where %s', condition)
        using p_watches, p_products, numbers;
    end if;
end $$;
