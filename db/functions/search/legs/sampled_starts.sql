-- Returns at most @start_count@ vectors from which walks start. These vectors are the nearest to the query in a sample
-- of the products that meet p_condition, a condition on p (shop.product). The sample consists of random pages of
-- shop.product; the number of pages is chosen so that about @start_sample@ products in the sample meet the condition.
-- p_share is the estimated share of all products that meet the condition.
create or replace function shop_private.sampled_starts(
    p_part text, p_vector @vector@.halfvec, p_condition text, p_share double precision, p_products bigint
)
returns @vector@.halfvec[]
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
declare
    starts @vector@.halfvec[];
begin
    execute format('select array_agg(s.embedding) from (
        select i.embedding from shop.product p tablesample system (%s) repeatable (0)
        join shop.%I i on i.product_id = p.product_id and i.position = 0 where %s
        order by (i.embedding operator(@vector@.<=>) $1) + 0 limit @start_count@) s',
        least(100, 100.0 * @start_sample@ / greatest(0.001, p_share) / greatest(1, p_products)),
        p_part || '_vector', p_condition) into starts using p_vector;
    return starts;
end $$;
