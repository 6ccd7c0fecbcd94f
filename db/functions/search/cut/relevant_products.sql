-- Sets run.cut, the products that pass the cut of a request. If the keyword leg has a weight, also sets
-- run.keyword_leg. A product passes if it meets run.condition and at least one leg (a ranking by image, title or
-- keyword) with a weight accepts it:
--   image and title   an image or the title is at least as similar to the query as the floor (see similarity_floors);
--   keyword           the product has a word of the query, or the keyword leg found the product in another way, such as
--                     by a misspelt word.
--
-- p_words is the query's text, or null. p_matched lists the products that meet the condition, or is null if these
-- products were not collected. p_share is the share of all products that meet the condition, or null if the share is
-- not known. If all products that meet the condition can be compared with the query in at most @cut_compare_ms@ ms, the
-- function compares them, and the cut is exact. Otherwise the indexes of the vectors, if they exist, find the products
-- that pass.
create or replace function shop_private.relevant_products(
    p_request shop_private.search_request, p_settings shop_private.search_settings, p_words text,
    p_matched uuid[], p_share double precision, inout run shop_private.search_run
)
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
declare
    began constant timestamptz := clock_timestamp();
    compared_most constant bigint := 1000 * @cut_compare_ms@ / p_settings.exact_us_per_row;
    matched uuid[] := p_matched;
    by_index boolean;
    near record;
    cut shop_private.search_cut;
begin
    if matched is null and run.condition <> 'true' and p_settings.products > compared_most then
        matched := (shop_private.collect_matches(
            run.condition, compared_most, p_settings.products, share => p_share)).matched;
    end if;
    by_index := matched is null and p_settings.products > compared_most;
    cut.complete := true;
    cut.product_ids := '{}';
    select f.image_floor, f.title_floor into cut.image_floor, cut.title_floor
    from shop_private.similarity_floors(run, p_settings, p_request.catalog,
        num_nonnulls(p_request.image, p_request.inputs) > 0
        or cardinality((shop_private.products_with_words(p_words, p_request.catalog,
            shop_private.catalog_condition(p_request.catalog), null, 1, p_request.synonyms)).product_ids) > 0,
        by_index) f;
    cut.by_image := case when run.image_weight > 0 then 0 end;
    cut.by_title := case when run.title_weight > 0 then 0 end;
    if cut.image_floor is not null then
        near := shop_private.near_products('image', p_settings.image_bits, run.image_vector, cut.image_floor,
            run.condition, matched, by_index and p_settings.image_index is not null, p_settings.stop_margin);
        cut.by_image := cardinality(near.product_ids);
        cut.product_ids := near.product_ids;
        cut.complete := near.complete;
    end if;
    if cut.title_floor is not null then
        near := shop_private.near_products('title', p_settings.title_bits, run.title_vector, cut.title_floor,
            run.condition, matched, by_index and p_settings.title_index is not null, p_settings.stop_margin);
        cut.by_title := cardinality(near.product_ids);
        cut.product_ids := cut.product_ids || near.product_ids;
        cut.complete := cut.complete and near.complete;
    end if;
    if run.keyword_weight > 0 then
        near := shop_private.products_with_words(p_words, p_request.catalog, run.condition, matched,
            case when by_index then @cut_most_products@ end, p_request.synonyms);
        -- A common word selects no products in the keyword leg. The leg therefore gets further candidates: up to
        -- run.depth products that have a word of the query.
        run.keyword_leg := shop_private.keyword_leg(p_words, p_request.catalog, run.condition, matched,
            (run.image_leg).product_ids || (run.title_leg).product_ids || near.product_ids[:run.depth],
            greatest(run.depth, @max_results@), p_settings.products, p_request.synonyms,
            coalesce(p_request.correct, true));
        cut.by_words := cardinality(near.product_ids);
        cut.product_ids := cut.product_ids || near.product_ids
            || case when near.complete then coalesce((run.keyword_leg).product_ids, '{}') else '{}' end;
        cut.complete := cut.complete and near.complete;
    end if;
    cut.product_ids := array(select distinct c from unnest(cut.product_ids) c);
    cut.total_is := case when not cut.complete then 'at least' when by_index then 'about' else 'exact' end;
    cut.ms := extract(epoch from clock_timestamp() - began) * 1000;
    run.cut := cut;
end $$;
