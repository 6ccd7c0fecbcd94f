-- Returns the query, moved towards the matches of a filter that excludes the query's neighbourhood. p_leg lists
-- matches, nearest first. The function adds a multiple of a direction to the query. The direction is the difference of
-- two means: the mean of the nearest matches, minus the mean of those neighbours of the query that do not meet
-- p_condition. p_condition is a condition on p (shop.product). The products near the moved query therefore resemble
-- both the query and the matches. Returns null if a mean is unknown. The function needs no SET clause, because it runs
-- under the search_path of leg_from_starts.
create or replace function shop_private.shifted_query(
    p_source text, p_bits integer, p_vector @vector@.halfvec, p_condition text, p_leg shop_private.leg
)
returns @vector@.halfvec
language plpgsql stable as $$
declare
    query constant @vector@.vector := p_vector::@vector@.vector;
    factor constant @vector@.vector := array_fill(@shift@::real, array[@vector@.vector_dims(query)])::@vector@.vector;
    direction @vector@.vector;
begin
    perform set_config('hnsw.ef_search', '@shift_neighbours@', true);
    execute format(
        'select (select @vector@.avg(i.embedding)
                from unnest($2, $3) l(product_id, "position")
                join %1$s i on i.product_id = l.product_id and i.position = l.position)::@vector@.vector
            operator(@vector@.-) (select @vector@.avg(c.embedding)
                from (select i.product_id, i.embedding from %1$s i
                    order by %3$s limit @shift_neighbours@) c
                left join shop.product p on p.product_id = c.product_id
                where (%2$s) is not true)::@vector@.vector', p_source, p_condition,
        shop_private.scan_order(p_bits, '$1'))
    into direction
    using p_vector, p_leg.product_ids[:@shift_matches@], p_leg.positions[:@shift_matches@];
    return @vector@.l2_normalize(
        (query operator(@vector@.+) (direction operator(@vector@.*) factor))::@vector@.halfvec);
end $$;
