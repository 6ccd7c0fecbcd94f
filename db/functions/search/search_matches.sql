-- The products that meet a condition on p (shop.product), if they are at most p_most; else null. Collecting stops there,
-- and does not begin where a sample of random pages, about 300 products, leaves no doubt that there are more. The
-- share of the sample that meets it comes back, or what it was.
create or replace function shop_private.search_matches(
    p_condition text, p_most bigint, p_products bigint, inout share double precision default null, out matched uuid[]
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set jit = off
set enable_indexscan = off  -- in the order of the table: the vectors of products that lie together do so too
set enable_indexonlyscan = off
as $$
declare
    hits bigint;
    seen bigint;
begin
    if share is null and p_products > 2 * p_most then
        execute format('select count(*) filter (where %s), count(*) from shop.product p
            tablesample system (%s) repeatable (0)', p_condition, least(100, 30000.0 / p_products)) into hits, seen;
        share := hits / greatest(1.0, seen);
        -- Three deviations down: the square root of a count deviates by a half.
        if greatest(0, sqrt(hits) - 1.5) ^ 2 / greatest(1, seen) * p_products > p_most then
            return;
        end if;
    end if;
    execute format('select array_agg(m.product_id) from (
        select p.product_id from shop.product p where %s limit %s) m', p_condition, p_most + 1) into matched;
    matched := case when coalesce(cardinality(matched), 0) <= p_most then coalesce(matched, '{}') end;
end $$;
