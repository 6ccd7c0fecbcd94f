-- Returns the unit vector of p_input, an entry of `inputs` that contains a vector. The entry must name the model of the
-- vector, because vectors of two models look alike but cannot be compared.
create or replace function shop_private.raw_vector(p_input jsonb)
returns @vector@.halfvec
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    serving constant record := shop_private.serving();
    vector @vector@.vector;
    length integer;
begin
    if p_input ->> 'model' is distinct from serving.model then
        raise exception using errcode = '22023',
            message = format('a vector of model %L was given; %L is serving',
                coalesce(p_input ->> 'model', 'unnamed'), serving.model),
            hint = format('Write {"vector": [...], "model": %s}.', to_json(serving.model));
    end if;
    if jsonb_typeof(p_input -> 'vector') <> 'array' then
        raise exception using errcode = '22023', message = 'the vector of an input is not a list of numbers';
    end if;
    length := jsonb_array_length(p_input -> 'vector');
    if length <> serving.dimension then
        raise exception using errcode = '22023',
            message = format('a vector has %s numbers; vectors of model %L have %s',
                length, serving.model, serving.dimension);
    end if;
    if exists (select from jsonb_array_elements(p_input -> 'vector') e where jsonb_typeof(e) <> 'number') then
        raise exception using errcode = '22023', message = 'the vector of an input is not a list of numbers',
            hint = 'NaN, infinity, null and numbers in quotes are not numbers here.';
    end if;
    begin
        vector := (p_input ->> 'vector')::@vector@.vector;
    exception when others then
        raise exception using errcode = '22023',
            message = format('the vector of an input cannot be used: %s', sqlerrm);
    end;
    if @vector@.vector_norm(vector) < @min_vector_norm@ then
        raise exception using errcode = '22023', message = 'the vector of an input is zero, so it has no direction';
    end if;
    return @vector@.l2_normalize(vector)::@vector@.halfvec;
end $$;
