-- Sets the weights of the legs (the rankings by image, by title and by keyword), rrf_k, and the depth in run. The depth
-- is the number of products that each leg ranks. Each weight and rrf_k is the requested value, or the fitted value if
-- none was requested. There are three exceptions:
--   (1) in a query without a text (p_has_words is false), the keyword leg has weight 0, because there are no words to
--       look up. The title leg has weight 0 too if no weight was requested for it: an image says little about titles;
--   (2) in a run without vectors (run.degraded is the reason), only the keyword leg has a weight;
--   (3) with a change (see rank_by_change), only the image leg has a weight, and it ranks at least @change_neighbours@
--       products.
-- Raises an error if every leg has weight 0. p_depth is the depth that the caller wants; if p_depth is null, leg_depth
-- computes the depth. With groups, diversity, or an active ranking (see search_ranking), the legs rank several times k
-- products, up to @max_results@, even if only one leg has a weight. The function needs no SET clause, because it runs
-- under the search_path of its callers.
create or replace function shop_private.choose_weights(
    p_request shop_private.search_request, p_settings shop_private.search_settings, p_has_words boolean,
    p_depth integer, inout run shop_private.search_run
)
language plpgsql immutable as $$
declare
    legs integer;
begin
    if p_request.change is not null then
        run.image_weight := 1;
        run.title_weight := 0;
        run.keyword_weight := 0;
    elsif run.degraded is null then
        run.image_weight := coalesce(p_request.image_weight, p_settings.image_weight);
        run.title_weight := coalesce(
            p_request.title_weight, case when p_has_words then p_settings.title_weight else 0 end);
        run.keyword_weight := case when p_has_words
            then coalesce(p_request.keyword_weight, p_settings.keyword_weight) else 0 end;
    else
        run.image_weight := 0;
        run.title_weight := 0;
        run.keyword_weight := case when p_has_words then 1 else 0 end;
    end if;
    run.rrf_k := coalesce(p_request.rrf_k, p_settings.rrf_k);
    legs := (run.image_weight > 0)::integer + (run.title_weight > 0)::integer + (run.keyword_weight > 0)::integer;
    if legs = 0 then
        raise exception using errcode = '22023', message = 'every leg has weight 0',
            hint = 'Give a leg a weight above 0. The keyword leg needs a query with a text.';
    end if;
    run.depth := greatest(coalesce(p_depth, shop_private.leg_depth(
            p_request.k, case when (run.ranking).active then greatest(legs, 2) else legs end)),
        case when p_request.change is not null then @change_neighbours@ end,
        case when num_nonnulls(p_request.group_by, p_request.diversity) > 0
            then least(@max_results@, greatest(@diversity_candidates@, @group_depth_factor@ * p_request.k)) end);
end $$;
