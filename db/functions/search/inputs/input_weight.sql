-- Returns the weight of p_entry, an entry of `inputs` (a parameter of shop.search), or 1 if the entry has no weight.
-- Raises an error if the entry is not an object, or if its keys, its weight, or the type of its text, image or sku is
-- not valid.
create or replace function shop_private.input_weight(p_entry jsonb)
returns double precision
language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
declare
    example constant text := shop_private.input_example();
begin
    if jsonb_typeof(p_entry) <> 'object' then
        raise exception using errcode = '22023', hint = example,
            message = format('an input is a %s, not an object', jsonb_typeof(p_entry));
    end if;
    if exists (select from jsonb_object_keys(p_entry) k
            where k not in ('text', 'image', 'sku', 'vector', 'model', 'weight'))
        or num_nonnulls(p_entry -> 'text', p_entry -> 'image', p_entry -> 'sku', p_entry -> 'vector') <> 1 then
        raise exception using errcode = '22023', hint = example, message = format(
            'an input has the keys %s; it needs exactly one of text, image, sku and vector',
            coalesce((select string_agg(k, ', ') from jsonb_object_keys(p_entry) k), '(none)'));
    end if;
    if exists (select from jsonb_each(p_entry) e
            where e.key in ('text', 'image', 'sku') and jsonb_typeof(e.value) <> 'string') then
        raise exception using errcode = '22023', message = 'the text, image or sku of an input is not a string',
            hint = example;
    end if;
    if coalesce(jsonb_typeof(p_entry -> 'weight'), 'number') <> 'number'
        or abs(coalesce((p_entry ->> 'weight')::numeric, 1)) not between @min_input_weight@ and @max_weight@ then
        raise exception using errcode = '22023',
            message = format('the weight %s of an input cannot be used', p_entry -> 'weight'),
            hint = 'A weight is a number from -@max_weight@ to @max_weight@, at least @min_input_weight@ away from 0. '
                'A negative weight means: less like this.';
    end if;
    return coalesce((p_entry ->> 'weight')::double precision, 1);
end $$;
