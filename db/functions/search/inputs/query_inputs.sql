-- Checks the inputs of a query and returns each input with its weight. p_query and p_image become inputs of weight 1
-- unless they are null; the input {"bytes": true} stands for p_image. p_inputs is the list of further inputs, or null.
create or replace function shop_private.query_inputs(p_query text, p_image bytea, p_inputs jsonb)
returns table (input jsonb, weight double precision)
language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
declare
    any_positive boolean := num_nonnulls(p_query, p_image) > 0;
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
    if jsonb_typeof(p_inputs) <> 'array' or jsonb_array_length(p_inputs) not between 1 and @max_inputs@ then
        raise exception using errcode = '22023', message = 'inputs is not a list of 1 to @max_inputs@ entries',
            hint = shop_private.input_example();
    end if;
    for input in select e from jsonb_array_elements(p_inputs) e loop
        weight := shop_private.input_weight(input);
        any_positive := any_positive or weight > 0;
        return next;
    end loop;
    if not any_positive then
        raise exception using errcode = '22023', message = 'every input has a negative weight',
            hint = 'A negative weight means: less like this. Give at least one input a positive weight.';
    end if;
end $$;
