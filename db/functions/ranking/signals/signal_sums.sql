-- Returns the sum of the contributions of all signals for each product, in the order of p_product_ids. Null means that
-- no signal has a weight, or that none can be read. A null among the sums counts as 0.
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
