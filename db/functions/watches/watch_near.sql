-- Returns the pairs of an active watch of p_catalog and a product of p_products in which the product resembles the
-- watch, has all words of its text, or the watch has only a filter. The filters are not tested here. One statement
-- compares all products with all watches. A similarity is null if it is below the floor.
create or replace function shop_private.watch_near(p_model shop.model, p_catalog text, p_products uuid[])
returns table (
    watch_id integer, product_id uuid, image_similarity double precision, title_similarity double precision
)
language plpgsql volatile rows 100 set search_path = pg_catalog, pg_temp set jit = off as $$
begin
    return query execute format(
        'with active as materialized (
             select w.watch_id, w.words, v.embedding, 1 - v.image_floor as image_most, 1 - v.title_floor as title_most,
                 num_nonnulls(w.query, w.image) = 0 as only_filter
             from shop.watch w
             left join shop_private.watch_vector v on v.watch_id = w.watch_id and v.model_id = $3
             where w.catalog = $1 and w.disabled_at is null
         ), worded as materialized (  -- the empty vector makes PostgreSQL decompress the keywords once
             select p.product_id, p.keywords || ''''::tsvector as keywords
             from shop.product p where p.product_id = any ($2)
         ), near as (
             select d.watch_id, d.product_id, 1 - d.distance as by_image, null::float8 as by_title
             from (select a.watch_id, i.product_id, i.embedding operator(@vector@.<=>) a.embedding as distance,
                       a.image_most as most
                   from active a, (select i.product_id, i.embedding::@vector@.halfvec as embedding from shop.%1$I i
                                   where i.product_id = any ($2) offset 0) i
                   where a.image_most is not null offset 0) d
             where d.distance <= d.most
             union all
             select d.watch_id, d.product_id, null, 1 - d.distance
             from (select a.watch_id, t.product_id, t.embedding operator(@vector@.<=>) a.embedding as distance,
                       a.title_most as most
                   from active a, (select t.product_id, t.embedding::@vector@.halfvec as embedding from shop.%2$I t
                                   where t.product_id = any ($2) offset 0) t
                   where a.title_most is not null offset 0) d
             where d.distance <= d.most
             union all
             select a.watch_id, p.product_id, null, null from active a join worded p on p.keywords @@ a.words
             union all
             select a.watch_id, p.product_id, null, null from active a, worded p where a.only_filter
         )
         select n.watch_id, n.product_id, max(n.by_image), max(n.by_title) from near n group by 1, 2',
        p_model.name || '_image', p_model.name || '_title')
    using p_catalog, p_products, p_model.model_id;
end $$;
