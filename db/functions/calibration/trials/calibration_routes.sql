-- Measures searches by image with the settings of p_settings, and returns the recall and the cost (see
-- calibration_finish). Each query is answered by an index scan or by a comparison of all matches, as a search would
-- choose. If the queries are mixes of products, p_starts holds two vectors for each query: those of its two products of
-- positive weight. Otherwise p_starts is null. p_share is the share of all products that meet p_condition, a filter on
-- p (shop.product) or 'true'. p_step describes the trial and is its name in calibration_list. If the time p_until comes
-- before the trial is complete, the function returns null, and a later call continues the trial.
create or replace function shop_private.calibration_routes(
    p_step text, p_k integer, p_queries @vector@.halfvec[], p_starts @vector@.halfvec[], p_condition text,
    p_share double precision, p_settings shop_private.search_settings, p_until timestamptz
)
returns jsonb
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    done constant jsonb := shop_private.calibration_done(p_step);
    truth constant text := format('nearest products, %s', p_step);
    found record;
    figures jsonb;
begin
    if done is not null then
        return done;
    end if;
    for n in 1 + (select count(*) from shop_private.calibration_list l where l.step = p_step)
            ..cardinality(p_queries) loop
        found := shop_private.vector_leg('image', p_queries[n], p_starts[2 * n - 1:2 * n], p_condition, p_k, p_k, null,
            p_share, p_condition <> 'true', p_settings, null);
        perform shop_private.calibration_add(p_step, n, found.leg);
        if clock_timestamp() >= p_until then
            return null;
        end if;
    end loop;
    -- The p_k-th product that a leg found lies at least as far as the true p_k-th product.
    if not shop_private.calibration_truth(truth, p_queries, array_fill(null::uuid, array[cardinality(p_queries)]),
        array(select coalesce(l.distances[p_k], 2) from shop_private.calibration_list l where l.step = p_step
            order by l.query),
        array[p_condition], p_k, p_settings.image_table, p_until)
    then
        return null;
    end if;
    figures := shop_private.calibration_finish(p_step, truth, 1);
    delete from shop_private.calibration_list l where l.step = truth;
    return figures;
end $$;
