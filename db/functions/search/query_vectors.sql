-- A query's vectors, one to meet pictures with and one to meet titles with, and its words.
--
-- Texts and pictures have one vector for both; a product's own picture meets pictures and its own title meets titles.
-- Each input is a unit vector times its weight (negative: less like this); the sum is brought to unit length again.
-- Words are those of the positive texts. Products given as input come back in `named`, to be left out of the results.
create or replace function shop_private.query_vectors(
    p_query text, p_image bytea, p_inputs jsonb, p_catalog text,
    out for_images @vector@.halfvec, out for_titles @vector@.halfvec, out words text, out named uuid[]
)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    input jsonb;
    weight double precision;
    v @vector@.halfvec;
    t @vector@.halfvec;
    images @vector@.vector;
    titles @vector@.vector;
    scale @vector@.vector;
    id uuid;
    many boolean;
begin
    if p_query is null and p_image is null and p_inputs is null then
        raise exception using errcode = '22023', message = 'nothing to search for',
            hint = 'Give query (a text), image (a picture''s bytes), inputs (a weighted list), or several of them.';
    end if;
    if p_inputs is null and (p_query is null or p_image is null) then  -- the usual case
        words := p_query;
        for_images := coalesce(shop.clip_text(p_query), shop.clip_image(p_image));
        for_titles := for_images;
        return;
    end if;
    for input, weight in
        select i.input, i.weight from shop_private.query_inputs(p_query, p_image, p_inputs) i
    loop
        t := null;
        if input ? 'text' then
            v := shop.clip_text(input ->> 'text');
            words := case when weight > 0 then concat_ws(' ', words, input ->> 'text') else words end;
        elsif input ? 'image' then
            v := shop.clip_image(shop_private.base64_picture(input ->> 'image'));
        elsif input ? 'bytes' then
            v := shop.clip_image(p_image);
        elsif input ? 'sku' then
            v := shop.product_vector(input ->> 'sku', p_catalog);
            id := shop.product_id(input ->> 'sku', p_catalog);
            named := named || id;
            select i.embedding into t from shop.title_vector i where i.product_id = id;
        else
            v := shop_private.raw_vector(input);
        end if;
        scale := array_fill(weight::real, array[@vector@.vector_dims(v)])::@vector@.vector;
        v := @vector@.l2_normalize(v);
        images := coalesce(images operator(@vector@.+) (v::@vector@.vector operator(@vector@.*) scale),
            v::@vector@.vector operator(@vector@.*) scale);
        t := coalesce(@vector@.l2_normalize(t), v);
        titles := coalesce(titles operator(@vector@.+) (t::@vector@.vector operator(@vector@.*) scale),
            t::@vector@.vector operator(@vector@.*) scale);
    end loop;
    if least(@vector@.vector_norm(images), @vector@.vector_norm(titles)) < 0.001 then
        raise exception using errcode = '22023', message = 'the inputs cancel each other out',
            hint = 'Their weighted sum points nowhere; change the weights.';
    end if;
    for_images := @vector@.l2_normalize(images)::@vector@.halfvec;
    for_titles := @vector@.l2_normalize(titles)::@vector@.halfvec;
end $$;

-- The weighted list, checked: query and image count as inputs of weight 1.
create or replace function shop_private.query_inputs(p_query text, p_image bytea, p_inputs jsonb)
returns table (input jsonb, weight double precision)
language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
declare
    example constant text := 'inputs is a list such as [{"text": "red shoes"}, {"sku": "A-17", "weight": -0.5}]; each '
        'entry has one of text, image (base64), sku, vector (with model), and may have a weight.';
    entry jsonb;
begin
    if p_query is not null then
        input := jsonb_build_object('text', p_query); weight := 1; return next;
    end if;
    if p_image is not null then
        input := '{"bytes": true}'; weight := 1; return next;
    end if;
    if p_inputs is null then
        return;
    end if;
    if jsonb_typeof(p_inputs) <> 'array' or jsonb_array_length(p_inputs) not between 1 and 20 then
        raise exception using errcode = '22023', message = 'inputs is not a list of 1 to 20 entries', hint = example;
    end if;
    for entry in select e from jsonb_array_elements(p_inputs) e loop
        if jsonb_typeof(entry) <> 'object' then
            raise exception using errcode = '22023', hint = example,
                message = format('an input is a %s, not an object', jsonb_typeof(entry));
        end if;
        if exists (select from jsonb_object_keys(entry) k where k not in ('text', 'image', 'sku', 'vector', 'model', 'weight'))
            or num_nonnulls(entry -> 'text', entry -> 'image', entry -> 'sku', entry -> 'vector') <> 1 then
            raise exception using errcode = '22023', hint = example,
                message = format('an input has the keys %s', (select string_agg(k, ', ') from jsonb_object_keys(entry) k));
        end if;
        if exists (select from jsonb_each(entry) e where e.key in ('text', 'image', 'sku') and jsonb_typeof(e.value) <> 'string') then
            raise exception using errcode = '22023', message = 'text, image and sku of an input are strings', hint = example;
        end if;
        if coalesce(jsonb_typeof(entry -> 'weight'), 'number') <> 'number'
            or abs(coalesce((entry ->> 'weight')::numeric, 1)) not between 0.001 and 1000 then
            raise exception using errcode = '22023', message = format('the weight %s of an input cannot be used', entry -> 'weight'),
                hint = 'A weight is a number; -1000 to 1000, and not nearer to 0 than 0.001. Negative means: less like this.';
        end if;
        input := entry;
        weight := coalesce((entry ->> 'weight')::double precision, 1);
        return next;
    end loop;
    if (select max(w) from (select coalesce((e ->> 'weight')::numeric, 1) w from jsonb_array_elements(p_inputs) e
        union all select 1 where num_nonnulls(p_query, p_image) > 0) s) < 0 then
        raise exception using errcode = '22023', message = 'every input says what the results should not be like',
            hint = 'Give at least one input of positive weight.';
    end if;
end $$;

create or replace function shop_private.base64_picture(p_text text)
returns bytea language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
    if length(p_text) > 14000000 then
        raise exception using errcode = '22023', message = 'the picture is too large: at most 10 MB',
            hint = 'Scale the picture down; models look at 224 to 512 pixels.';
    end if;
    return decode(p_text, 'base64');
exception when invalid_parameter_value then
    if sqlerrm like 'the picture%' then
        raise;
    end if;
    raise exception using errcode = '22023', message = 'the image of an input is not base64',
        hint = 'encode(bytea, ''base64'') makes it.';
end $$;

-- A vector a caller brings: it names the model it is of, because vectors of two models look alike and mean nothing to
-- each other.
create or replace function shop_private.raw_vector(p_input jsonb)
returns @vector@.halfvec
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    s constant record := shop_private.serving();
    v @vector@.vector;
    length integer;
begin
    if p_input ->> 'model' is distinct from s.model then
        raise exception using errcode = '22023',
            message = format('a vector of model %L was given; %L is serving', coalesce(p_input ->> 'model', 'unnamed'), s.model),
            hint = format('{"vector": [...], "model": %s}', to_json(s.model));
    end if;
    if jsonb_typeof(p_input -> 'vector') <> 'array' then
        raise exception using errcode = '22023', message = 'the vector of an input is not a list of numbers';
    end if;
    length := jsonb_array_length(p_input -> 'vector');
    if length <> s.dimension then
        raise exception using errcode = '22023',
            message = format('a vector has %s numbers; those of model %L have %s', length, s.model, s.dimension);
    end if;
    if exists (select from jsonb_array_elements(p_input -> 'vector') e where jsonb_typeof(e) <> 'number') then
        raise exception using errcode = '22023', message = 'the vector of an input is not a list of numbers',
            hint = 'NaN, infinity, null and numbers in quotes are not numbers here.';
    end if;
    begin
        v := (p_input ->> 'vector')::@vector@.vector;
    exception when others then
        raise exception using errcode = '22023', message = format('the vector of an input cannot be used: %s', sqlerrm);
    end;
    if @vector@.vector_norm(v) < 1e-6 then
        raise exception using errcode = '22023', message = 'the vector of an input is zero: it points nowhere';
    end if;
    return @vector@.l2_normalize(v)::@vector@.halfvec;
end $$;
