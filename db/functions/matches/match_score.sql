-- When two products are the same: the rule of shop.matches and shop.match_products.
--
-- Each distance has a threshold at which it is enough by itself: its closeness is 1 there, 2 at no distance, and 0 from
-- twice the threshold on. A pair's score is the closeness of the pictures (by perceptual hash or vector, whichever is
-- closer) plus that of the titles (the mean of vector and trigrams). 1 is a match, so two halves make one. A distance
-- that is null, such as that of a product still to be encoded, adds nothing. Titles under 20 bytes count in proportion:
-- "Flower" says what kind of thing it is, not which one.
--
-- These three set no search_path, so that they are inlined.
create or replace function shop_private.closeness(distance double precision, threshold double precision)
returns double precision
language sql immutable parallel safe
return greatest(0, 2 - distance / nullif(threshold, 0));

create or replace function shop_private.title_closeness(
    title_distance real, trigram_similarity real, title_length integer, title double precision, trigram double precision
)
returns double precision
language sql immutable parallel safe
return (shop_private.closeness(title_distance, title) + shop_private.closeness(1 - trigram_similarity, trigram)) / 2
    * least(1, title_length / 20.0);

create or replace function shop_private.match_score(
    phash_distance integer, image_distance real, title_distance real, trigram_similarity real, title_length integer,
    phash double precision, image double precision, title double precision, trigram double precision
)
returns double precision
language sql immutable parallel safe
return greatest(shop_private.closeness(phash_distance, phash), shop_private.closeness(image_distance, image))
    + shop_private.title_closeness(title_distance, trigram_similarity, title_length, title, trigram);

-- The thresholds of the serving model: as shop.calibrate_matching fitted them, or the defaults. Vectors of one model
-- lie closer together than another's, so their defaults are shares of the distance between two products at random
-- (neighbours by product_id, which is a hash).
create or replace function shop_private.match_thresholds(
    out phash double precision, out image double precision, out title double precision, out trigram double precision
)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    select max(t.value) filter (where t.name = 'match:phash'), max(t.value) filter (where t.name = 'match:image'),
        max(t.value) filter (where t.name = 'match:title'), max(t.value) filter (where t.name = 'match:trigram')
    into phash, image, title, trigram
    from shop.tuning t where t.model_id = (select s.model_id from shop_private.serving() s) and t.name like 'match:%';
    phash := coalesce(phash, 6);  -- bits of 64
    trigram := coalesce(trigram, 0.5);  -- 1 - similarity()
    if image is null then
        select 0.22 * percentile_cont(0.5) within group (order by d.distance) into image from (
            select v.embedding operator(@vector@.<=>) lag(v.embedding) over (order by v.product_id) as distance
            from (select i.product_id, i.embedding from shop.image_vector i where i.position = 0
                  order by i.product_id limit 300) v) d;
    end if;
    if title is null then
        select 0.36 * percentile_cont(0.5) within group (order by d.distance) into title from (
            select v.embedding operator(@vector@.<=>) lag(v.embedding) over (order by v.product_id) as distance
            from (select i.product_id, i.embedding from shop.title_vector i order by i.product_id limit 300) v) d;
    end if;
end $$;
