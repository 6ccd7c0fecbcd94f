-- Fits the temperature of shop.zero_shot and stores it in shop.tuning. The sample is up to 2,000 products that pass the
-- filter, have an encoded first image, and have a value in `field`; this value is the known tag of a product. Only
-- products with one of the 50 most frequent tags are used. The temperature is fitted on half of the sample. On the
-- other half, the function measures how reliable the confidence is. The measure is the expected calibration error
-- (ece), in 15 equal bins of confidence. If fewer than 200 products or fewer than 2 tags remain, an earlier temperature
-- is deleted, no temperature is stored, and `reason` says why. `reason` also says if ece is over 0.10, because
-- shop.zero_shot then gives no confidence. If the template is null, only the label is encoded.
create or replace function shop.calibrate_zero_shot(
    field text default 'product_type', catalog text default 'main', filter jsonb default null,
    template text default null
)
returns table (
    temperature double precision, tagged integer, labels integer, accuracy double precision, ece double precision,
    ece_uncalibrated double precision, nll double precision, reason text
)
language plpgsql volatile rows 1 set search_path = pg_catalog, pg_temp set jit = off as $$
#variable_conflict use_column
declare
    p_field constant text := field;
    p_template constant text := coalesce(template, '{}');
    model constant record := shop_private.serving();
    tag constant text := shop_private.tag_expression(field);
    condition constant text := format('%s and %s', shop_private.catalog_condition(catalog),
        shop_private.filter_condition(filter));
    names text[];
begin
    -- product_id is a hash, so the first products are a fair sample.
    execute format('create temporary table tagged_product on commit drop as
        select p.product_id, %1$s as tag, i.embedding, row_number() over (order by p.product_id) %% 2 = 0 as held_out
        from shop.product p join shop.image_vector i on i.product_id = p.product_id and i.position = 0
        where %1$s is not null and %2$s order by p.product_id limit 2000', tag, condition);
    -- The labels are the 50 most frequent tags. Tags that differ only in case count as one tag.
    select array_agg(t.tag order by t.n desc, t.tag) into names from (
        select min(t.tag) as tag, count(*) as n from pg_temp.tagged_product t group by lower(t.tag)
        order by 2 desc, 1 limit 50) t;
    select count(*) into tagged from pg_temp.tagged_product t
    where lower(t.tag) in (select lower(n) from unnest(names) n);
    labels := coalesce(cardinality(names), 0);
    delete from shop.tuning t where t.model_id = model.model_id and t.name = 'zero_shot:' || p_field;
    if tagged < 200 or labels < 2 then
        reason := format('%s encoded products have a %s, with %s different values; calibration needs 200 products and '
            '2 values', tagged, p_field, labels);
        drop table pg_temp.tagged_product;
        return next;
        return;
    end if;

    perform shop_private.compare_tags(names, p_template);
    temperature := shop_private.fit_temperature();
    select m.accuracy, m.ece, m.nll into accuracy, ece, nll
    from shop_private.confidence_measures(temperature) m;
    select m.ece into ece_uncalibrated from shop_private.confidence_measures(1) m;
    drop table pg_temp.tag_similarity, pg_temp.tagged_product;
    if ece > 0.10 then
        reason := 'the error is over 0.10: shop.zero_shot gives no confidence for this field';
    end if;
    insert into shop.tuning (model_id, name, value, detail) values (
        model.model_id, 'zero_shot:' || p_field, temperature, jsonb_build_object('catalog', catalog, 'filter', filter,
            'template', p_template, 'tagged', tagged, 'labels', to_jsonb(names), 'accuracy', accuracy, 'ece', ece,
            'ece_uncalibrated', ece_uncalibrated, 'nll', nll));
    return next;
end $$;
