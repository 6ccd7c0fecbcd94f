-- Returns, for each query vector, a cosine distance within which at least p_k products besides the query's own product
-- meet p_condition, a condition on p (shop.product). The distance is that of a match which the HNSW index finds, so all
-- nearer matches lie within it. If the index finds too few matches, for example because products have many images, the
-- function compares all products that meet the condition. The distance is 2, the largest cosine distance, if fewer than
-- p_k + 1 products meet the condition. p_table stores the image vectors.
do $$ begin perform '[1]'::@vector@.vector; end $$;  -- loads pgvector, which defines the hnsw.* settings

create or replace function shop_private.calibration_bounds(
    p_queries @vector@.halfvec[], p_condition text, p_k integer, p_table regclass
)
returns double precision[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_sort = off
set jit = off
set hnsw.iterative_scan = relaxed_order
set hnsw.ef_search = @max_ef_search@
as $$
declare
    bounds double precision[] := '{}';
    bound double precision;
begin
    for n in 1..cardinality(p_queries) loop
        execute format(
            'select max(b.distance) from (
                select min(c.distance) as distance from (
                    select i.product_id, i.embedding operator(@vector@.<=>) $1 as distance
                    from shop.image_vector i order by i.embedding operator(@vector@.<=>) $1 limit @max_ef_search@) c
                join shop.product p on p.product_id = c.product_id where %s
                group by c.product_id order by 1 limit $2) b
            having count(*) = $2', p_condition) into bound using p_queries[n], p_k + 1;
        if bound is null then
            bound := (shop_private.exact_leg(
                'image', p_queries[n], p_condition, null, p_k + 1, 1, p_table)).measures[p_k + 1];
        end if;
        bounds := bounds || coalesce(bound, 2);
    end loop;
    return bounds;
end $$;
