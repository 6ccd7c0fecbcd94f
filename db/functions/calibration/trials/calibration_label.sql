-- Searches the image index of a label with the setting p_ef_search, once for each of the first
-- @calibration_label_queries@ queries of a run. Returns the recall and the cost (see calibration_finish). p_source is
-- the source of the vectors of the label (see leg_source). p_step describes the trial and is its name in
-- calibration_list. The first trial of a label also stores the label's exact nearest products for each query in
-- calibration_list, under the name p_truth. If the time p_until comes before the trial is complete, the function
-- returns null, and a later call continues the trial.
create or replace function shop_private.calibration_label(
    p_step text, p_truth text, p_run shop_private.calibration_run, p_source text, p_ef_search integer,
    p_until timestamptz
)
returns jsonb
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    done constant jsonb := shop_private.calibration_done(p_step);
    queries constant integer := least(@calibration_label_queries@, cardinality(p_run.vectors));
    own integer;
begin
    if done is not null then
        return done;
    end if;
    for n in 1 + (select count(*) from shop_private.calibration_list l where l.step = p_truth)..queries loop
        execute format(
            'insert into shop_private.calibration_list (step, condition, query, product_ids)
            select $1, 1, $2, coalesce(array_agg(b.product_id order by b.distance), ''{}'') from (
                select v.product_id, min(v.embedding operator(@vector@.<=>) $3) as distance from %s v
                where v.product_id is distinct from $4 group by v.product_id order by distance limit $5) b', p_source)
        using p_truth, n, p_run.vectors[n], p_run.own_products[n], p_run.k;
        if clock_timestamp() >= p_until then
            return null;
        end if;
    end loop;
    for n in 1 + (select count(*) from shop_private.calibration_list l where l.step = p_step)..queries loop
        -- If the query is the image of a product, the scan looks for one more product, because it finds a product of
        -- the label first by its own image. It looks for one more even if the product does not have the label.
        own := (p_run.own_products[n] is not null)::integer;
        perform shop_private.calibration_add(p_step, n, (shop_private.label_hnsw_leg(
            p_source, p_run.vectors[n], p_run.k + own, 1, p_step, p_ef_search)).leg);
        if clock_timestamp() >= p_until then
            return null;
        end if;
    end loop;
    return shop_private.calibration_finish(p_step, p_truth, 1);
end $$;
