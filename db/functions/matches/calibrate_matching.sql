-- Fits the match thresholds of the serving model on products that people have grouped. The thresholds are the distances
-- by which shop.matches decides whether two products are the same. `truth` is the field that names the group of a
-- product, such as a GTIN or Shopee's label_group. This field is read only for fitting and scoring, never for matching.
--
-- The function fits the thresholds on about half of the groups and measures the result on the other groups. For each
-- product of the sample (see sample_groups), the function computes F1 between two sets: the products that match this
-- product, and the products of its group. The product itself is in both sets. Each row of the result shows thresholds
-- and the average F1 of each half. The row "all, as before" shows the thresholds from before this call. The rows phash,
-- image and title show how well these signals work alone; the row title includes the trigrams. A null threshold means
-- that the signal is not used. Only the thresholds of the last row are stored.
create or replace function shop.calibrate_matching(
    catalog text default 'main', truth text default 'attributes.label_group'
)
returns table (
    signals text, phash double precision, image double precision, title double precision, trigram double precision,
    f1_fitted_on double precision, f1_held_out double precision
)
language plpgsql volatile rows 5 set search_path = pg_catalog, pg_temp set jit = off as $$
#variable_conflict use_column
declare
    model constant record := shop_private.serving();
    before constant record := shop_private.match_thresholds();
    label constant text := shop_private.tag_expression(truth);
    theirs constant text := format('%s and %s is not null', shop_private.catalog_condition(catalog), label);
    sample record;
    thresholds double precision[];
begin
    if model.model_id is null then
        raise exception using errcode = 'WS005', message = 'no model is serving',
            hint = 'Add a model with "windowshop model add starter", then "windowshop model serve starter".';
    end if;
    sample := shop_private.sample_groups(theirs, label);
    if sample.groups < @match_min_groups@ then
        drop table pg_temp.match_posting;
        raise exception using errcode = '22023',
            message = format('by %s, only %s groups have two or more products', truth, sample.groups),
            hint = 'Calibration needs @match_min_groups@ groups: one half to fit on, the other half to measure.';
    end if;
    execute format('create temporary table match_trial on commit drop as
        select p.product_id, c.phash_distance, c.image_distance, c.title_distance, c.trigram_similarity, c.title_length,
            o.label = p.label as is_same
        from shop_private.match_candidates(%L, %L, 50, 3 * $1, 3 * $2) c
        join pg_temp.match_posting p on p.product_id = c.a
        join (select p.product_id, %s as label from shop.product p) o on o.product_id = c.b',
        'p.product_id in (select t.product_id from pg_temp.match_posting t)', theirs, label)
    using before.image, before.title;

    for signals, thresholds in values
        ('phash', array[before.phash, null, null, null]), ('image', array[null, before.image, null, null]),
        ('title', array[null, null, before.title, before.trigram]),
        ('all, as before', array[before.phash, before.image, before.title, before.trigram]),
        ('all', array[before.phash, before.image, before.title, before.trigram])
    loop
        if signals <> 'all, as before' then
            thresholds := shop_private.fit_thresholds(thresholds);
        end if;
        phash := thresholds[1]; image := thresholds[2]; title := thresholds[3]; trigram := thresholds[4];
        f1_fitted_on := shop_private.trial_f1(thresholds, false);
        f1_held_out := shop_private.trial_f1(thresholds, true);
        return next;
    end loop;
    insert into shop.tuning as t (model_id, name, value, fitted_at, detail)
    select model.model_id, 'match:' || f.name, f.value, clock_timestamp(), jsonb_build_object('catalog', catalog,
        'truth', truth, 'postings', sample.postings, 'groups', sample.groups, 'f1', f1_held_out)
    from unnest(array['phash', 'image', 'title', 'trigram'], thresholds) f(name, value)
    on conflict (model_id, name) do update
    set value = excluded.value, fitted_at = excluded.fitted_at, detail = excluded.detail;
    drop table pg_temp.match_trial, pg_temp.match_posting;
end $$;
