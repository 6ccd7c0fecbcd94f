-- Collects the products that meet a condition on p (shop.product), if at most p_most products meet it; otherwise
-- `matched` is null.
--
-- Collecting stops once more than p_most products match. It does not start if a sample of random pages shows beyond
-- doubt that more products match. `share` is the part of the sample that meets the condition; a caller that passes a
-- share saves the sample.
create or replace function shop_private.collect_matches(
    p_condition text, p_most bigint, p_products bigint, inout share double precision default null, out matched uuid[]
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set jit = off
set enable_indexscan = off  -- reads in table order: the vectors of neighbouring products are stored side by side, too
set enable_indexonlyscan = off
as $$
declare
    hits bigint;
    sampled bigint;
begin
    if share is null and p_products > 2 * p_most then
        execute format('select count(*) filter (where %s), count(*) from shop.product p
            tablesample system (%s) repeatable (0)', p_condition, least(100, 100.0 * @sample_products@ / p_products))
        into hits, sampled;
        share := hits / greatest(1.0, sampled);
        -- The lower bound is three standard deviations below the count: the square root of a count deviates by 0.5.
        if greatest(0, sqrt(hits) - @sample_deviation@) ^ 2 / greatest(1, sampled) * p_products > p_most then
            return;
        end if;
    end if;
    execute format('select array_agg(m.product_id) from (
        select p.product_id from shop.product p where %s limit %s) m', p_condition, p_most + 1) into matched;
    matched := case when coalesce(cardinality(matched), 0) <= p_most then coalesce(matched, '{}') end;
end $$;
