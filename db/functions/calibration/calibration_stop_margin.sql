-- Returns the smallest stop margin (see filtered_hnsw_leg) whose recall@k under a filter reaches the target with 95 %
-- confidence. If no margin reaches the target, returns the largest margin tried. us_per_candidate is the time of one
-- candidate with the returned margin, in microseconds. `measured` lists the recall, the candidates and the time of each
-- margin tried.
--
-- The function tries three filters. Of all products, 80 % pass the first filter, 10 % pass the second filter, and 4 %
-- pass the third filter. Each filter needs at least the margin of the filter before it, so the trials of a filter begin
-- with that margin. The function tries no larger margin once half of the scans cost more than a comparison of all
-- matches, because a search then compares all matches. p_exact_us is the time of one comparison in microseconds, and
-- p_products_in_all is the number of products in the catalog. Each filter is a bound on one byte of product_id. Because
-- product_id is a hash, the products that pass are a fair sample.
create or replace function shop_private.calibration_stop_margin(
    p_queries @vector@.halfvec[], p_products uuid[], p_k integer, p_target double precision, p_table regclass,
    p_index regclass, p_exact_us double precision, p_products_in_all bigint,
    out stop_margin double precision, out us_per_candidate double precision, out measured jsonb
)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    steps constant double precision[] :=
        '{0.0025, 0.005, 0.0075, 0.01, 0.0125, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.07, 0.1, 0.15, 0.2}';
    passing_bytes constant integer[] := '{205, 26, 10}';  -- how many of the byte's 256 values pass each filter
    step integer := 1;
    passing integer;
    condition text;
    truth text[];
    tried record;
begin
    measured := '[]';
    foreach passing in array passing_bytes loop
        condition := format('get_byte(uuid_send(p.product_id), 7) < %s', passing);
        truth := shop_private.calibration_truth(p_queries, p_products, condition, p_k, p_table);
        loop
            stop_margin := steps[step];
            select * into tried from shop_private.calibration_try(
                p_queries, p_products, truth, condition, p_k, null, stop_margin, p_index);
            measured := measured || jsonb_build_object('filter', round(passing / 256.0, 3), 'slack', stop_margin,
                'candidates', tried.candidates, 'recall', tried.recall, 'lowest', tried.lowest, 'ms', tried.ms);
            raise info 'where % of all pass a filter: slack %, recall % (at least %)',
                round(passing / 256.0, 2), stop_margin, round(tried.recall::numeric, 3),
                round(tried.lowest::numeric, 3);
            exit when tried.lowest >= p_target or step = cardinality(steps)
                or tried.candidates * tried.us_per_candidate
                    > @collect_cost_factor@ * p_exact_us * p_products_in_all * passing / 256;
            step := step + 1;
        end loop;
    end loop;
    us_per_candidate := tried.us_per_candidate;
end $$;
