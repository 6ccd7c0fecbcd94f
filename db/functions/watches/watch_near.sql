-- Returns pairs of an active watch of p_catalog and a product of p_products. In a pair, the product resembles the text
-- or the image of the watch, or has all words of the text. The filters are not tested here. One statement compares all
-- products with all watches. A similarity is null if it is below the floor. All vectors have unit length, so the inner
-- product is the cosine similarity, and takes less time than the cosine distance.
create or replace function shop_private.watch_near(p_model shop.model, p_catalog text, p_products uuid[])
returns table (
    watch_id integer, product_id uuid, image_similarity double precision, title_similarity double precision
)
language plpgsql volatile rows 100 set search_path = pg_catalog, pg_temp set jit = off as $$
begin
    return query execute format(
        'with active as materialized (
             select w.watch_id, w.words, v.embedding, v.image_floor, v.title_floor
             from shop.watch w
             left join shop_private.watch_vector v on v.watch_id = w.watch_id and v.model_id = $3
             where w.catalog = $1 and w.disabled_at is null and num_nonnulls(w.query, w.image) > 0
         ), worded as materialized (  -- adding an empty tsvector makes PostgreSQL decompress the keywords once
             select p.product_id, p.keywords || ''''::tsvector as keywords
             from shop.product p where p.product_id = any ($2)
         ), near as (
             select d.watch_id, d.product_id, d.similarity as by_image, null::float8 as by_title
             from (select a.watch_id, i.product_id, a.image_floor as floor,
                       -(i.embedding operator(@vector@.<#>) a.embedding) as similarity
                   from active a, (select i.product_id, i.embedding::@vector@.halfvec as embedding from shop.%1$I i
                                   where i.product_id = any ($2) offset 0) i
                   where a.image_floor is not null offset 0) d
             where d.similarity >= d.floor
             union all
             select d.watch_id, d.product_id, null, d.similarity
             from (select a.watch_id, t.product_id, a.title_floor as floor,
                       -(t.embedding operator(@vector@.<#>) a.embedding) as similarity
                   from active a, (select t.product_id, t.embedding::@vector@.halfvec as embedding from shop.%2$I t
                                   where t.product_id = any ($2) offset 0) t
                   where a.title_floor is not null offset 0) d
             where d.similarity >= d.floor
             union all
             select a.watch_id, p.product_id, null, null from active a join worded p on p.keywords @@ a.words
         )
         select n.watch_id, n.product_id, max(n.by_image), max(n.by_title) from near n group by 1, 2',
        p_model.name || '_image', p_model.name || '_title')
    using p_catalog, p_products, p_model.model_id;
end $$;
