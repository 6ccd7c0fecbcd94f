-- Rows a table has now, as the planner reckons: its density at the last ANALYZE times its pages now.
create or replace function shop_private.row_estimate(relation regclass)
returns bigint
language sql stable parallel safe set search_path = pg_catalog, pg_temp as $$
    select (pg_relation_size(relation) / 8192 * case
        when c.reltuples > 0 and c.relpages > 0 then c.reltuples / c.relpages
        else 8192.0 / (select coalesce(sum(nullif(a.atttypmod, -1)), 0) * 2 + 100 from pg_attribute a
                       where a.attrelid = relation and a.attname = 'embedding') end)::bigint
    from pg_class c where c.oid = relation
$$;

-- The valid HNSW index of a table, or null; the newer one, for the moment in which one takes another's place.
create or replace function shop_private.hnsw_index(relation regclass)
returns regclass
language sql stable parallel safe set search_path = pg_catalog, pg_temp as $$
    select i.indexrelid::regclass from pg_index i
    join pg_class c on c.oid = i.indexrelid
    join pg_am a on a.oid = c.relam
    where i.indrelid = relation and a.amname = 'hnsw' and i.indisvalid
    order by i.indexrelid desc limit 1
$$;

-- What the router goes by: the newest calibration of the serving model, carried on to today's size, or figures
-- that suit 512 half-precision numbers on one core where nothing was calibrated yet.
create or replace function shop_private.search_settings(
    out model_id smallint, out model text, out revision text, out dimension integer,
    out image_table regclass, out title_table regclass, out image_index regclass, out title_index regclass,
    out products bigint, out pictures bigint, out calibration_id bigint, out ef_search integer, out slack double precision,
    out exact_us_per_row double precision, out hnsw_us_per_candidate double precision,
    out image_weight double precision, out title_weight double precision, out keyword_weight double precision,
    out rrf_k integer
)
language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    s record;
    c shop.calibration;
begin
    s := shop_private.serving();
    if s.model_id is null then
        raise exception using errcode = 'WS005', message = 'no model is serving',
            hint = 'Add one with "windowshop model add starter", then "windowshop model serve starter".';
    end if;
    model_id := s.model_id; model := s.model; revision := s.revision; dimension := s.dimension;
    image_table := s.image_table; title_table := s.title_table;
    image_index := shop_private.hnsw_index(s.image_table);
    title_index := shop_private.hnsw_index(s.title_table);
    products := shop_private.row_estimate(s.title_table);
    pictures := shop_private.row_estimate(s.image_table);

    select * into c from shop.calibration c where c.model_id = s.model_id order by c.calibration_id desc limit 1;
    calibration_id := c.calibration_id;
    -- For equal recall ef_search has to grow about as the square root of the catalog.
    ef_search := least(1000, case when c.recall is null then greatest(100, 0.65 * sqrt(products))
        else c.ef_search * sqrt(greatest(1, products / greatest(1.0, c.products))) end);
    slack := coalesce(c.slack, 0.03);
    exact_us_per_row := coalesce(c.exact_us_per_row, 4);
    hnsw_us_per_candidate := coalesce(c.hnsw_us_per_candidate, 10);
    select coalesce(max(t.value) filter (where t.name = 'image_weight'), 1),
        coalesce(max(t.value) filter (where t.name = 'title_weight'), 1),
        coalesce(max(t.value) filter (where t.name = 'keyword_weight'), 1),
        coalesce(max(t.value) filter (where t.name = 'rrf_k'), 60)
    into image_weight, title_weight, keyword_weight, rrf_k
    from shop.tuning t
    where t.model_id = s.model_id and t.name in ('image_weight', 'title_weight', 'keyword_weight', 'rrf_k');
end $$;
