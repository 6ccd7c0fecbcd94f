-- Returns the number of products that each leg (a ranking by image, title or keyword) ranks for the first p_k results
-- of a search with p_legs legs. A single leg ranks p_k + 1 products, because the product after the first p_k shows that
-- there is a next page. No leg ranks more than @max_results@.
create or replace function shop_private.leg_depth(p_k integer, p_legs integer)
returns integer
language sql immutable parallel safe as $$
    select least(@max_results@,
        case when p_legs = 1 then p_k + 1 else greatest(@leg_depth_min@, @leg_depth_factor@ * p_k) end)
$$;
