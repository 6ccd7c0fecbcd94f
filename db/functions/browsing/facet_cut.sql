-- Returns the products that meet p_condition, a condition on p (shop.product), and that the cut of the request keeps
-- because they are relevant to its query (see relevant_products). Unless keyword_weight is 0, products that the text of
-- the request names (see exact_matches) are returned even if they do not pass the cut. Products that are inputs of the
-- request are left out. shop.facets counts the returned products.
create or replace function shop_private.facet_cut(p_request shop_private.search_request, p_condition text)
returns shop_private.search_cut
language plpgsql stable set search_path = pg_catalog, pg_temp set max_parallel_workers_per_gather = 0 as $$
declare
    settings constant shop_private.search_settings := shop_private.search_settings();
    run shop_private.search_run;
    inputs record;
begin
    inputs := shop_private.search_inputs(p_request);
    run.image_vector := inputs.image_vector;
    run.title_vector := inputs.title_vector;
    run.degraded := inputs.degraded;
    run.condition := p_condition || case when inputs.named is not null
        then format(' and p.product_id <> all(%L::uuid[])', inputs.named) else '' end;
    run := shop_private.choose_weights(p_request, settings, inputs.words is not null, @leg_depth_min@, run);
    run := shop_private.relevant_products(p_request, settings, inputs.words, null, null, run);
    if inputs.words is not null and p_request.keyword_weight is distinct from 0 then
        run.exact := shop_private.exact_matches(
            inputs.words, p_request.catalog, run.condition, (run.cut).product_ids);
    end if;
    run.cut.product_ids := shop_private.cut_with_exact((run.cut).product_ids, run.exact);
    return run.cut;
end $$;
