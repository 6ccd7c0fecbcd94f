-- Returns the filters under which a calibration measures the index. Every product passes the first filter. About four
-- products in five pass the second, one in ten the third, and one in 25 the fourth. Each filter is a condition on p
-- (shop.product); the last three test one byte of product_id. Because product_id is a hash, the products that pass are
-- a fair sample.
create or replace function shop_private.calibration_conditions(out conditions text[], out shares double precision[])
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
    select array_agg(case b.passing when 256 then 'true'
            else format('get_byte(uuid_send(p.product_id), 7) < %s', b.passing) end order by b.passing desc),
        array_agg(b.passing / 256.0::double precision order by b.passing desc)
    from unnest(array[256, 205, 26, 10]) b(passing)
$$;
