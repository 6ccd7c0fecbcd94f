-- Chooses ef_search for scans of the image index of each label (see label_hnsw_leg): the smallest of the tried values
-- whose recall@k reaches the target with 95 % confidence. The queries are the first @calibration_label_queries@ queries
-- of the run, whether they are near to the products of the label or far from them. With a target of .98 or more, a
-- value already fails if the scan of one of 100 queries ends among the wrong products. Labels without a valid index are
-- left out.
--
-- Returns a JSON object with an entry for each measured label_id: ef_search and the number of images. There is no
-- ef_search if no value reaches the target. Returns null if the time p_until comes before the trials are complete; a
-- later call then continues.
create or replace function shop_private.calibration_labels(
    p_run shop_private.calibration_run, p_settings shop_private.search_settings, p_until timestamptz
)
returns jsonb
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    label record;
    one shop_private.search_settings := p_settings;  -- the settings of a single label
    source record;
    step integer;
    tried jsonb;
    chosen jsonb := '{}';
begin
    for label in
        select l.label_id, shop_private.label_rows(p_settings.model, 'image', l.label_id) as images,
            format('nearest products, label %s', l.label_id) as truth
        from shop.label_index l where l.model_id = p_settings.model_id order by l.label_id
    loop
        continue when label.images is null;
        one.labels := array[label.label_id];
        source := shop_private.leg_source('image', one);
        chosen := chosen || jsonb_build_object(label.label_id, jsonb_build_object('images', label.images));
        foreach step in array '{40, 50, 60, 80, 100, 120, 140, 170, 200, 250, 320, 400, 500, 640, 800, 1000}'::integer[]
        loop
            tried := shop_private.calibration_label(
                format('label %s: ef_search %s', label.label_id, step), label.truth, p_run, source.vectors, step,
                p_until);
            if tried is null then
                return null;
            elsif (tried ->> 'lowest')::double precision >= p_run.target_recall then
                chosen := jsonb_set(chosen, array[label.label_id::text, 'ef_search'], to_jsonb(step));
                exit;
            end if;
        end loop;
        delete from shop_private.calibration_list l where l.step = label.truth;
    end loop;
    return chosen;
end $$;
