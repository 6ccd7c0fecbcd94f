-- Tests pairs of a watch and a product, and returns those in which the product passes the filter of the watch. The
-- tested pairs are (p_watches[n], p_products[n]), and each watch of p_alone with each product of p_all. All products of
-- p_products must be in p_all. One statement tests all pairs and reads each product once. The statement contains each
-- different filter once, and finds the filter of a pair by the filter's number, with two CASE expressions.
create or replace function shop_private.watch_passing(
    p_watches integer[], p_products uuid[], p_alone integer[], p_all uuid[]
)
returns table (watch_id integer, product_id uuid)
language plpgsql volatile rows 100 set search_path = pg_catalog, pg_temp set jit = off as $$
declare
    condition text;
    numbers integer[];  -- the number of the filter of each pair
    numbers_alone integer[];
begin
    with used as (
        select w.watch_id, w.condition from shop.watch w where w.watch_id = any (p_watches || p_alone)
    ), filters as (
        select f.condition, (row_number() over (order by f.condition) - 1)::integer as number
        from (select distinct u.condition from used u) f
    ), numbered as (
        select u.watch_id, f.number from used u join filters f using (condition)
    ), tests as (
        select f.number / 32 as block,
            string_agg(format('when %s then %s', f.number % 32, f.condition), ' ' order by f.number) as tests
        from filters f group by 1
    )
    select (select format('case c.filter / 32 %s end', string_agg(
            format('when %s then case c.filter %% 32 %s end', t.block, t.tests), ' ')) from tests t),
        (select array_agg(n.number order by g.place)
         from unnest(p_watches) with ordinality g(watch_id, place) left join numbered n using (watch_id)),
        (select array_agg(n.number order by g.place)
         from unnest(p_alone) with ordinality g(watch_id, place) left join numbered n using (watch_id))
    into condition, numbers, numbers_alone;
    if condition is not null then
        return query execute format(
            'with pairs as materialized (
                 select g.product_id, array_agg(g.watch_id) as watches, array_agg(g.filter) as filters
                 from unnest($1, $2, $3) g(watch_id, product_id, filter) group by 1
             )
             select c.watch_id, p.product_id
             from unnest($6) a(product_id) join shop.product p using (product_id) left join pairs using (product_id)
             cross join lateral unnest($4 || pairs.watches, $5 || pairs.filters) c(watch_id, filter)
             where %s', condition)
        using p_watches, p_products, numbers, p_alone, numbers_alone, p_all;
    end if;
end $$;
