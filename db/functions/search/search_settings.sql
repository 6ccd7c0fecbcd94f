-- Returns the figures that control a search: the serving model, its tables and indexes, the fitted weights, and the
-- newest calibration. If the number of products has grown since the calibration, ef_search is larger. Before the first
-- calibration, the function returns default figures, which hold for vectors of 512 half-precision numbers on one core.
-- Raises an error if no model is serving.
create or replace function shop_private.search_settings()
returns shop_private.search_settings
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
set enable_seqscan = off  -- the planner would read all of pg_index, because it assumes that system catalogs are small
as $$
declare
    serving constant record := shop_private.serving();
    settings shop_private.search_settings;
    image_index bigint[];  -- the newest index: its oid, and the number of bits if it is an index over bits
    title_index bigint[];
    newest shop.calibration;
    other_kind boolean := false;  -- whether the calibration measured the other kind of index
    ef_search double precision;
begin
    if serving.model_id is null then
        raise exception using errcode = 'WS005', message = 'no model is serving',
            hint = 'Add a model with "windowshop model add starter", then "windowshop model serve starter".';
    end if;
    settings.model_id := serving.model_id;
    settings.model := serving.model;
    settings.revision := serving.revision;
    settings.image_table := serving.image_table;
    settings.title_table := serving.title_table;
    -- A table has two indexes while a new index replaces the old one. The newer index is used.
    select max(x.newest) filter (where x.indrelid = serving.image_table),
        max(x.newest) filter (where x.indrelid = serving.title_table)
    into image_index, title_index
    from (
        select i.indrelid, m.amname, array[i.indexrelid::bigint, (select a.atttypmod from pg_attribute a
            where a.attrelid = i.indexrelid and a.attnum = 1 and a.atttypid = 'bit'::regtype)] as newest
        from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am m on m.oid = c.relam
        where i.indrelid in (serving.image_table, serving.title_table) and i.indisvalid
            and m.amname in ('hnsw', 'ivfflat') offset 0) x
    where x.amname = 'hnsw' or x.newest[2] is not null;
    settings.image_index := image_index[1];
    settings.image_bits := image_index[2];
    settings.title_index := title_index[1];
    settings.title_bits := title_index[2];
    settings.products := shop_private.row_estimate(serving.title_table);
    settings.images := shop_private.row_estimate(serving.image_table);

    if row_security_active('shop.calibration'::regclass) then
        newest := shop_private.calibration_figures(serving.model_id);
    else
        select * into newest from shop.calibration c
        where c.model_id = serving.model_id order by c.calibration_id desc limit 1;
    end if;
    settings.calibration_id := newest.calibration_id;
    -- A calibration of an index over bits says nothing about an index over vectors, and vice versa.
    if (newest.bits is null) <> (settings.image_bits is null) then
        newest.crossover_rows := null;
        newest.hnsw_us_per_candidate := null;
        other_kind := true;
    end if;
    -- For equal recall, ef_search must grow about in proportion to the square root of the number of vectors.
    ef_search := newest.ef_search * sqrt(greatest(
        1, settings.products / greatest(1.0, coalesce(newest.products, settings.products))));
    settings.ef_search := least(@max_ef_search@, case when newest.recall is not null and newest.bits is null
        then ef_search
        else greatest(@default_ef_min@, @default_ef_factor@ * sqrt(greatest(settings.products, settings.images))) end);
    settings.bit_candidates := least(@hnsw_max_candidates@, case when newest.recall is not null
        and newest.bits is not null then ef_search
        else greatest(@default_ef_min@, @default_bit_factor@ * sqrt(greatest(settings.products, settings.images))) end);
    settings.misses_target := not other_kind and newest.lowest_recall < newest.target_recall;
    settings.stop_margin := coalesce(newest.slack, @default_stop_margin@);
    settings.exact_us_per_row := coalesce(newest.exact_us_per_row, @default_exact_us@);
    settings.hnsw_us_per_candidate := coalesce(newest.hnsw_us_per_candidate, @default_hnsw_us@);
    settings.exact_limit := greatest(@exact_floor@,
        case when settings.image_bits is null then settings.ef_search else settings.bit_candidates end
            * settings.hnsw_us_per_candidate / settings.exact_us_per_row,
        newest.crossover_rows, case when newest.recall is null or other_kind then @exact_without_ef@ end);

    select coalesce(max(t.value) filter (where t.name = 'image_weight'), 1),
        coalesce(max(t.value) filter (where t.name = 'title_weight'), 1),
        coalesce(max(t.value) filter (where t.name = 'keyword_weight'), 1),
        coalesce(max(t.value) filter (where t.name = 'rrf_k'), @default_rrf_k@)
    into settings.image_weight, settings.title_weight, settings.keyword_weight, settings.rrf_k
    from (
        select u.name, u.value from shop.tuning u
        where u.model_id = serving.model_id and u.name in ('image_weight', 'title_weight', 'keyword_weight', 'rrf_k')
        union all
        select n.name, n.value from shop_private.fitted_numbers(serving.model_id) n
        where row_security_active('shop.tuning'::regclass)) t;
    return settings;
end $$;
