-- Returns at most p_count query vectors for a calibration. If p_count is at least 20 and the query cache holds at least
-- 20 query texts of the model, the function returns the vectors of the latest texts (`kind` is text). Otherwise it
-- returns vectors of first images of products (`kind` is image), or null if no first image is encoded. Texts are
-- preferred because they lie outside the distribution of the images and are harder to search for. products[n] is the
-- product whose image has vectors[n], or null if vectors[n] is the vector of a text.
create or replace function shop_private.calibration_queries(
    p_model_id smallint, p_count integer, out vectors @vector@.halfvec[], out products uuid[], out kind text
)
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
    kind := 'text';
    select array_agg(q.embedding), array_agg(null::uuid) into vectors, products from (
        select e.embedding from shop_private.query_embedding e
        where e.model_id = p_model_id and e.query is not null order by e.created_at desc limit p_count) q;
    if coalesce(cardinality(vectors), 0) < 20 then
        kind := 'image';
        select array_agg(q.embedding), array_agg(q.product_id) into vectors, products from (
            select v.embedding, v.product_id from shop.image_vector v where v.position = 0
            order by md5(v.product_id::text) limit p_count) q;
    end if;
end $$;
