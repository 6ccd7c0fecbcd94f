-- Measure the live catalog, so that the router knows what its two routes cost and how far the index must look:
-- the smallest ef_search whose recall@k reaches the target for sure, the smallest slack with which a filtered search does (see
-- hnsw_leg), the time of a comparison and of a candidate, and how similar a query is to products that have nothing to do with it.
--
-- The queries are texts that were asked (they lie outside the pictures' distribution and are the harder ones), or the
-- catalog's own pictures while fewer than 20 texts are known. Times are the lower quartile: what else runs on the machine is not
-- the route's cost. Changes nothing but its own tables. The result is a row of shop.calibration, and search goes by it from then on.
create or replace function shop.calibrate(
    target_recall double precision default 0.98, k integer default 10, queries integer default 150
)
returns shop.calibration
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set jit = off
set max_parallel_workers_per_gather = 0  -- as in a search
as $$
declare
    sieve constant text := 'get_byte(uuid_send(p.product_id), 7) < %s';  -- product_id is a hash: every filter is a fair draw
    s record;
    result shop.calibration;
    asked @vector@.halfvec[];
    asker uuid[];
    truth text[];
    tried record;
    slacks constant double precision[] := '{0.0025, 0.005, 0.0075, 0.01, 0.0125, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.07, 0.1, 0.15, 0.2}';
    efs constant integer[] := '{40, 50, 60, 80, 100, 120, 140, 170, 200, 250, 320, 400, 500, 640, 800, 1000}';
    ef integer;
    step integer := 1;
    bytes integer;
    passed text;
    few double precision;
    many double precision;
    drawn uuid[];
    measured jsonb := '[]';
begin
    if target_recall is null or target_recall not between 0.5 and 0.9999 then
        raise exception using errcode = '22023', message = 'target_recall is not between 0.5 and 0.9999';
    end if;
    if k not between 1 and 100 or queries not between 5 and 1000 then
        raise exception using errcode = '22023', message = 'k is not between 1 and 100, or queries not between 5 and 1000';
    end if;
    analyze shop.product;
    perform shop_private.refresh_common_words();
    s := shop_private.search_settings();
    execute format('analyze %s', s.image_table);
    execute format('analyze %s', s.title_table);
    s := shop_private.search_settings();
    result.model_id := s.model_id; result.products := s.products; result.k := k;
    result.target_recall := target_recall; result.ef_search := s.ef_search; result.slack := s.slack;
    result.exact_us_per_row := s.exact_us_per_row; result.hnsw_us_per_candidate := s.hnsw_us_per_candidate;

    select array_agg(q.embedding), 'text' into asked, result.query_kind from (
        select e.embedding from shop_private.query_embedding e
        where e.model_id = s.model_id and e.query is not null order by e.created_at desc limit queries) q;
    if coalesce(cardinality(asked), 0) < 20 then
        select array_agg(q.embedding), array_agg(q.product_id), 'image' into asked, asker, result.query_kind from (
            select v.embedding, v.product_id from shop.image_vector v where v.position = 0
            order by md5(v.product_id::text) limit queries) q;
    end if;
    result.queries := coalesce(cardinality(asked), 0);
    if result.queries = 0 then
        raise exception using errcode = '55000', message = format('no picture is encoded for model %L yet', s.model),
            hint = 'Load a catalog and encode it: "windowshop encode --once".';
    end if;
    asker := coalesce(asker, array_fill(null::uuid, array[result.queries]));

    select avg(1 - (v.embedding operator(@vector@.<=>) q)), stddev_samp(1 - (v.embedding operator(@vector@.<=>) q))
    into result.background_mean, result.background_deviation
    from (select i.embedding, i.product_id from shop.image_vector i order by md5(i.product_id::text || 'background') limit 1000) v,
        unnest(asked, asker) a(q, self)
    where v.product_id is distinct from self;

    -- The exact route: the slope of its time over the rows, collected by an index and compared, others for each query.
    select array_agg(p.product_id order by p.product_id) into drawn from shop.product p;
    if cardinality(drawn) > 1000 then
        few := shop_private.calibration_exact(asked, drawn, least(500, cardinality(drawn) / 4), k, s.image_table);
        many := shop_private.calibration_exact(asked, drawn, least(2500, cardinality(drawn)), k, s.image_table);
        result.exact_us_per_row := greatest(0.1, 1000 * (many - few)
            / (least(2500, cardinality(drawn)) - least(500, cardinality(drawn) / 4)));
    end if;

    if s.image_index is not null and s.products >= 2000 then
        truth := shop_private.calibration_truth(asked, asker, 'true', k, s.image_table);
        foreach ef in array efs loop
            select * into tried from shop_private.calibration_try(asked, asker, truth, 'true', k, ef, null, s.image_index);
            measured := measured || jsonb_build_object('filter', 1, 'ef_search', ef, 'candidates', ef,
                'recall', tried.recall, 'ms', tried.ms);
            result.ef_search := ef; result.recall := tried.recall;
            exit when tried.lowest >= target_recall;
        end loop;
        -- Four products in five, one in ten, one in 25: each asks for no less slack than the one before.
        foreach bytes in array array[205, 26, 10] loop
            passed := format(sieve, bytes);
            truth := shop_private.calibration_truth(asked, asker, passed, k, s.image_table);
            loop
                result.slack := slacks[step];
                select * into tried from shop_private.calibration_try(asked, asker, truth, passed, k, null, result.slack, s.image_index);
                measured := measured || jsonb_build_object('filter', round(bytes / 256.0, 3), 'slack', result.slack,
                    'candidates', tried.candidates, 'recall', tried.recall, 'ms', tried.ms);
                exit when tried.lowest >= target_recall or step = cardinality(slacks);
                step := step + 1;
            end loop;
        end loop;
        result.hnsw_us_per_candidate := tried.us_per_candidate;
    end if;
    result.crossover_rows := greatest(100, result.ef_search * result.hnsw_us_per_candidate / result.exact_us_per_row);

    insert into shop.calibration (model_id, products, k, target_recall, recall, queries, query_kind, ef_search, slack,
        exact_us_per_row, hnsw_us_per_candidate, crossover_rows, background_mean, background_deviation, measured)
    values (result.model_id, result.products, result.k, result.target_recall, result.recall, result.queries,
        result.query_kind, result.ef_search, result.slack, result.exact_us_per_row, result.hnsw_us_per_candidate,
        result.crossover_rows, result.background_mean, result.background_deviation, measured)
    returning * into result;
    return result;
end $$;
