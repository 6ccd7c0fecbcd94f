-- Returns the vectors and words of a query. A search compares image_vector with images and title_vector with titles,
-- and looks up `words` in products.
--
-- image_vector and title_vector are weighted sums of the inputs' unit vectors, scaled to unit length. A negative weight
-- means: less like this. The vector of the query's text includes its synonyms (see text_vector). Each of the first
-- @exclusion_texts@ words or phrases that the query excludes is an input of weight -@exclusion_weight@. A text, an
-- image or a vector is added to both sums. A product given as input adds the vector of its first image to image_vector.
-- To title_vector, it adds the vector of its title, or of the image if the title is not encoded. `words` joins the
-- texts with a positive weight. `named` lists the products given as input; the results exclude these products.
-- image_starts and title_starts list the unit vectors of the inputs with a positive weight (see leg_from_starts). Both
-- lists are null if the caller gave a single input.
create or replace function shop_private.query_vectors(
    p_request shop_private.search_request,
    out image_vector @vector@.halfvec, out title_vector @vector@.halfvec, out words text, out named uuid[],
    out image_starts @vector@.halfvec[], out title_starts @vector@.halfvec[]
)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    input jsonb;
    weight double precision;
    vector @vector@.halfvec;  -- the vector of one input
    product_title @vector@.halfvec;
    image_sum @vector@.vector;
    title_sum @vector@.vector;
    scale @vector@.vector;
    given uuid;
    given_inputs integer := 0;
    variants constant text[] := shop_private.text_variants(p_request.query, p_request.synonyms);
    excluded constant text[] := nullif((p_request.parsed).excluded[:@exclusion_texts@], '{}');
begin
    if num_nonnulls(p_request.query, p_request.image, p_request.inputs) = 0 then
        raise exception using errcode = '22023', message = 'nothing to search for',
            hint = 'Give query (a text), image (the bytes of an image), inputs (a weighted list), or several of them.';
    end if;
    if p_request.inputs is null and excluded is null and (p_request.query is null or p_request.image is null) then
        words := p_request.query;
        image_vector := coalesce(shop_private.text_vector(p_request.query, variants),
            shop.clip_image(p_request.image, p_request.image_box));
        title_vector := image_vector;
        return;
    end if;
    for input, weight in
        select i.input, i.weight
        from shop_private.query_inputs(p_request.query, p_request.image, p_request.inputs) i
        union all select jsonb_build_object('text', e, 'excluded', true), -@exclusion_weight@ from unnest(excluded) e
    loop
        product_title := null;
        if input ? 'text' then
            vector := shop_private.text_vector(
                input ->> 'text', case when input ->> 'text' = p_request.query then variants end);
            words := case when weight > 0 then concat_ws(' ', words, input ->> 'text') else words end;
        elsif input ? 'image' then
            vector := shop.clip_image(shop_private.base64_image(input ->> 'image'));
        elsif input ? 'bytes' then
            vector := shop.clip_image(p_request.image, p_request.image_box);
        elsif input ? 'sku' then
            vector := shop.product_vector(input ->> 'sku', p_request.catalog);
            given := shop.product_id(input ->> 'sku', p_request.catalog);
            named := named || given;
            select t.embedding into product_title
            from shop.title_vector t where t.product_id = given;
        else
            vector := shop_private.raw_vector(input);
        end if;
        scale := array_fill(weight::real, array[@vector@.vector_dims(vector)])::@vector@.vector;
        vector := @vector@.l2_normalize(vector);
        image_starts := case when weight > 0 then image_starts || vector else image_starts end;
        image_sum := coalesce(image_sum operator(@vector@.+) (vector::@vector@.vector operator(@vector@.*) scale),
            vector::@vector@.vector operator(@vector@.*) scale);
        vector := coalesce(@vector@.l2_normalize(product_title), vector);
        title_starts := case when weight > 0 then title_starts || vector else title_starts end;
        given_inputs := given_inputs + case when input ? 'excluded' then 0 else 1 end;
        title_sum := coalesce(title_sum operator(@vector@.+) (vector::@vector@.vector operator(@vector@.*) scale),
            vector::@vector@.vector operator(@vector@.*) scale);
    end loop;
    if least(@vector@.vector_norm(image_sum), @vector@.vector_norm(title_sum)) < @min_inputs_norm@ then
        raise exception using errcode = '22023', message = 'the inputs cancel each other out',
            hint = 'The weighted sum of the inputs is almost zero, so it has no direction; change the weights.';
    end if;
    if given_inputs = 1 then
        image_starts := null;
        title_starts := null;
    end if;
    image_vector := @vector@.l2_normalize(image_sum)::@vector@.halfvec;
    title_vector := @vector@.l2_normalize(title_sum)::@vector@.halfvec;
end $$;
