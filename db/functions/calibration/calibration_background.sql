-- Returns the mean and the standard deviation of the cosine similarity between the queries and a sample of at most
-- 1,000 images. The two figures show how similar a query is to unrelated products. p_products[n] is the product whose
-- image is query n, or null if query n is a text. A query is not compared with the images of its own product. The
-- sample is the images with the smallest product_ids. Because product_id is a hash, this sample is random.
create or replace function shop_private.calibration_background(
    p_queries @vector@.halfvec[], p_products uuid[], out mean double precision, out deviation double precision
)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    select avg(s.similarity), stddev_samp(s.similarity) into mean, deviation
    from (select i.embedding, i.product_id from shop.image_vector i
          order by i.product_id limit 1000) v,
        unnest(p_queries, p_products) q(vector, product_id),
        lateral (select 1 - (v.embedding operator(@vector@.<=>) q.vector) as similarity) s
    where v.product_id is distinct from q.product_id;
end $$;
