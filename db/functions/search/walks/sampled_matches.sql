-- Takes a sample of shop.product and returns the @start_choice@ matches in the sample that are nearest to the query, or
-- null if the sample has no match. A match is a product that meets p_condition, a condition on p (shop.product). The
-- first images or the titles (p_part) of the matches are compared with the query. The sample consists of random pages.
-- Their number is chosen so that about @start_sample@ products of the sample meet the condition, but the sample has at
-- most about @start_sample_most@ products. p_share is the estimated share of all products that meet the condition.
create or replace function shop_private.sampled_matches(
    p_part text, p_vector @vector@.halfvec, p_condition text, p_share double precision, p_products bigint
)
returns shop_private.candidate[]
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
declare
    nearest shop_private.candidate[];
begin
    execute format('select array_agg((s.product_id, s.position, s.distance)::shop_private.candidate) from (
        select i.product_id, i.position, (i.embedding operator(@vector@.<=>) $1) + 0 as distance
        from shop.product p tablesample system (%s) repeatable (0)
        join shop.%I i on i.product_id = p.product_id and i.position = 0
        where %s order by distance limit @start_choice@) s',
        least(100, 100.0 * least(@start_sample@ / greatest(0.001, p_share), @start_sample_most@)
            / greatest(1, p_products)),
        p_part || '_vector', p_condition) into nearest using p_vector;
    return nearest;
end $$;
