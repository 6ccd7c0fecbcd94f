-- Returns the match thresholds of the serving model: the thresholds that shop.calibrate_matching fitted, or default
-- thresholds. The vectors of some models lie closer together than the vectors of other models. The default thresholds
-- for vectors are therefore fractions of the median distance between two random products. Neighbours by product_id
-- serve as random products, because product_id is a hash.
create or replace function shop_private.match_thresholds(
    out phash double precision, out image double precision, out title double precision, out trigram double precision
)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    p_model_id constant smallint := (shop_private.serving()).model_id;
begin
    select max(t.value) filter (where t.name = 'match:phash'), max(t.value) filter (where t.name = 'match:image'),
        max(t.value) filter (where t.name = 'match:title'), max(t.value) filter (where t.name = 'match:trigram')
    into phash, image, title, trigram
    from (
        select u.name, u.value from shop.tuning u where u.model_id = p_model_id and u.name like 'match:%'
        union all
        select n.name, n.value from shop_private.fitted_numbers(p_model_id) n
        where row_security_active('shop.tuning'::regclass)) t;
    phash := coalesce(phash, @match_phash_bits@);
    trigram := coalesce(trigram, @match_trigram_distance@);  -- a threshold of 1 - similarity()
    if image is null then
        select @match_image_share@ * percentile_cont(0.5) within group (order by d.distance) into image from (
            select v.embedding operator(@vector@.<=>) lag(v.embedding) over (order by v.product_id) as distance
            from (select i.product_id, i.embedding from shop.image_vector i where i.position = 0
                  order by i.product_id limit 300) v) d;
    end if;
    if title is null then
        select @match_title_share@ * percentile_cont(0.5) within group (order by d.distance) into title from (
            select v.embedding operator(@vector@.<=>) lag(v.embedding) over (order by v.product_id) as distance
            from (select i.product_id, i.embedding from shop.title_vector i order by i.product_id limit 300) v) d;
    end if;
end $$;
