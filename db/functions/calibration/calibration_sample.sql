-- Draws the queries of a calibration and stores them in its row of calibration_run. Also stores two measurements that
-- need no HNSW index: how similar the queries are to random products, and how long one comparison takes. Returns the
-- row. Raises an error if calibration_queries finds no query, because no image is encoded.
create or replace function shop_private.calibration_sample(
    p_run shop_private.calibration_run, p_queries integer, p_settings shop_private.search_settings
)
returns shop_private.calibration_run
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    run shop_private.calibration_run;
    sample constant record := shop_private.calibration_queries(p_run.model_id, p_queries);
    mixed constant record := shop_private.calibration_mixed_queries();
    background record;
begin
    if sample.vectors is null then
        raise exception using errcode = '55000',
            message = format('no image is encoded for model %L yet', p_settings.model),
            hint = 'Load a catalog and encode it: "windowshop encode --once".';
    end if;
    raise info '% % queries among % products', cardinality(sample.vectors), sample.kind, p_run.products;
    background := shop_private.calibration_background(sample.vectors, sample.products);
    update shop_private.calibration_run r
    set vectors = sample.vectors, own_products = sample.products, query_kind = sample.kind,
        mixes = mixed.mixes, mix_inputs = mixed.inputs,
        done = jsonb_build_object('background_mean', background.mean, 'background_deviation', background.deviation,
            'exact_us_per_row', coalesce(
                shop_private.calibration_exact_cost(sample.vectors[1:@calibration_timed@], p_run.k,
                    p_settings.image_table),
                p_settings.exact_us_per_row))
    where r.model_id = p_run.model_id returning * into run;
    return run;
end $$;
