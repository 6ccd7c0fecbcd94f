-- Returns, for each product, the sum of the contributions (weight times value) of all signals, in the order of
-- p_product_ids. The result is null if no signal has a weight, or if none can be read. A sum is null for a product
-- without a value of any signal; the caller counts this null as 0.
create or replace function shop_private.signal_sums(p_product_ids uuid[], p_asked jsonb, p_rules bigint[])
returns double precision[]
language sql stable set search_path = pg_catalog, pg_temp as $$
    select array_agg(s.total order by s.n)
    from (
        select u.n, sum(u.contribution) as total
        from shop_private.signal_parts(p_product_ids, p_asked, p_rules) p,
            unnest(p.contributions) with ordinality u(contribution, n)
        group by u.n
    ) s
$$;
