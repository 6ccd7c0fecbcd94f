-- Returns a new run (the state of one search). The model, its calibration and the number of products come from
-- p_settings. search_ranking finds the signals and rules that apply to the search. The function needs no SET clause,
-- because it runs under the search_path of run_search.
create or replace function shop_private.new_run(
    p_request shop_private.search_request, p_settings shop_private.search_settings
)
returns shop_private.search_run
language plpgsql stable as $$
declare
    run shop_private.search_run;
begin
    run.model_id := p_settings.model_id;
    run.model := p_settings.model;
    run.revision := p_settings.revision;
    run.calibration_id := p_settings.calibration_id;
    run.products := p_settings.products;
    run.ranking := shop_private.search_ranking(p_request);
    return run;
end $$;
