-- Takes a sample of the vectors of p_source (see leg_source), and returns the @start_choice@ products of the sample
-- that are nearest to the query, nearest first. The sample consists of the p_rows vectors with the smallest keys. Keys
-- are hashes, so the sample is random, and it is the same for equal searches. Only products that meet p_condition are
-- returned; p_condition is a condition on p (shop.product) or 'true'. The function needs no SET clause, because it runs
-- under the search_path of vector_leg.
create or replace function shop_private.source_sample(
    p_source text, p_vector @vector@.halfvec, p_condition text, p_rows integer
)
returns shop_private.candidate[]
language plpgsql stable as $$
declare
    nearest shop_private.candidate[];
begin
    execute format('select array_agg((n.product_id, n.position, n.distance)::shop_private.candidate) from (
        select s.product_id, s.position, s.embedding operator(@vector@.<=>) $1 as distance
        from (select i.* from %s i order by i.product_id limit $2) s %s
        order by distance limit @start_choice@) n', p_source, case when p_condition <> 'true'
            then format('join shop.product p on p.product_id = s.product_id where %s', p_condition) end)
    into nearest using p_vector, p_rows;
    return coalesce(nearest, '{}');
end $$;
