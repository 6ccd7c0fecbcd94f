-- Returns the unit vector halfway between the directions of the vectors a and b. If one of the two is null, returns the
-- other vector.
create or replace function shop_private.mean_direction(a @vector@.halfvec, b @vector@.halfvec)
returns @vector@.halfvec
language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
    if a is null or b is null then
        return coalesce(a, b);
    end if;
    return @vector@.l2_normalize(@vector@.l2_normalize(a)::@vector@.vector
        operator(@vector@.+) @vector@.l2_normalize(b)::@vector@.vector)::@vector@.halfvec;
end $$;
