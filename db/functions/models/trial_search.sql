-- Returns the results that shop.search(route => 'exact') would give if p_model were serving, with two differences:
-- signals and rules do not apply, and synonyms and excluded words do not change the vectors of the query. The function
-- ranks and fuses in the same way as shop.search, but on the tables of p_model. Evaluation uses this function to judge
-- a model before the model serves. The function does not make the views show p_model for the trial: a replaced view
-- would block every search until the transaction ends.
--
-- The query is a text, an image, or both. The image is p_image or the first image of the product p_sku. The results
-- exclude the product p_sku.
create or replace function shop_private.trial_search(
    p_model text, p_text text, p_image bytea, p_sku text, p_filter jsonb, p_k integer, p_catalog text,
    p_image_weight double precision, p_title_weight double precision, p_keyword_weight double precision, p_rrf_k integer
)
returns setof shop.search_result
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    images constant regclass := format('shop.%I', p_model || '_image');
    titles constant regclass := format('shop.%I', p_model || '_title');
    request shop_private.search_request;  -- the query without its operators
    text_vector @vector@.halfvec;
    image @vector@.halfvec := shop_private.model_vector(p_model, null, p_image);
    title @vector@.halfvec;
    run shop_private.search_run;
begin
    request.query := p_text;
    request.catalog := p_catalog;
    request := shop_private.read_query(request);
    text_vector := shop_private.model_vector(p_model, request.query, null);
    run.products := shop_private.row_estimate(titles);
    run.image_weight := p_image_weight;
    run.title_weight := p_title_weight;
    run.keyword_weight := case when request.query is null then 0 else p_keyword_weight end;
    run.rrf_k := p_rrf_k;
    run.depth := shop_private.leg_depth(p_k, (run.image_weight > 0)::integer + (run.title_weight > 0)::integer
        + (run.keyword_weight > 0)::integer);
    run.condition := shop_private.catalog_condition(p_catalog);
    if p_filter is not null then
        run.condition := format('%s and (%s)', run.condition, shop_private.filter_condition(p_filter));
    end if;
    run.condition := concat_ws(' and ', run.condition, (request.parsed).condition);
    if p_sku is not null then
        execute format('select i.embedding, t.embedding from %s i left join %s t on t.product_id = i.product_id
            where i.product_id = $1 and i.position = 0', images, titles)
        into image, title using shop.product_id(p_sku, p_catalog);
        if image is null then
            return;  -- the model has no vector of this image; an empty result counts against the model
        end if;
        run.condition := format('%s and p.product_id <> %L', run.condition, shop.product_id(p_sku, p_catalog));
    end if;

    if run.image_weight > 0 then
        run.image_leg := shop_private.exact_leg('image', shop_private.mean_direction(text_vector, image), run.condition,
            null, run.depth, shop_private.row_estimate(images) / greatest(1.0, run.products), images);
    end if;
    if run.title_weight > 0 then
        run.title_leg := shop_private.exact_leg('title', shop_private.mean_direction(
            text_vector, coalesce(title, image)), run.condition, null, run.depth, 1, titles);
    end if;
    if run.keyword_weight > 0 then
        run.keyword_leg := shop_private.keyword_leg(request.query, p_catalog, run.condition, null,
            (run.image_leg).product_ids || (run.title_leg).product_ids, run.depth, run.products,
            request.synonyms);
        run.exact := shop_private.exact_matches(request.query, p_catalog, run.condition,
            (run.image_leg).product_ids || (run.title_leg).product_ids || (run.keyword_leg).product_ids);
    end if;
    return query
    select f.place::integer, f.product_id, p.sku, p.title, p.brand, p.product_type, p.price, p.currency, p.availability,
        p.color, p.link, p.image_link, i.uri, coalesce(f.position, 0::smallint), f.score,
        f.image_rank, f.image_distance, f.image_contribution, f.title_rank, f.title_distance, f.title_contribution,
        f.keyword_rank, f.keyword_score, f.keyword_contribution,
        'exact', coalesce((run.image_leg).rows_examined, 0) + coalesce((run.title_leg).rows_examined, 0)
            + coalesce((run.keyword_leg).rows_examined, 0),
        true, null::text, count(*) over (), 'at least', '', false, f.exact_match,
        null::text, null::bigint, null::numeric, null::numeric, null::text,
        f.shop_ranking, null::text[]
    from shop_private.fuse_legs(run, null, null) f
    join shop.product p on p.product_id = f.product_id
    left join shop.product_image i on i.product_id = f.product_id and i.position = coalesce(f.position, 0)
    order by f.place limit p_k;
end $$;
