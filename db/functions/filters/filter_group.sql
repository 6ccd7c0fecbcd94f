-- All fields of one object. p_place says where it stands, for errors: null, or or[1]. p_conditions counts on.
create or replace function shop_private.filter_group(
    p_group jsonb, p_place text, p_depth integer, inout p_conditions integer, out condition text
) language plpgsql stable parallel safe as $$
declare
    field text;
    value jsonb;
    place text;
    operators jsonb;
    operator text;
    operand jsonb;
    kind text;
    part text;
    choices text[];
    parts text[];
begin
    if jsonb_typeof(p_group) <> 'object' then
        raise exception using errcode = '22023',
            message = format('%s takes an object, not %s', concat_ws(' ', 'filter', p_place),
                shop_private.filter_shown(p_group)),
            hint = 'Write for example {"price": {"lt": 80}, "product_type": "bags"}.';
    end if;
    if p_depth > 20 then
        raise exception using errcode = '54000', message = 'the filter is too deep: at most 20 of "and", "or", "not" '
            'inside one another', hint = 'Fields of one object are all required, so "and" is rarely needed.';
    end if;

    for field, value in select * from jsonb_each(p_group) loop
        place := concat_ws('.', p_place, left(field, 80));
        if field in ('and', 'or') then
            if jsonb_typeof(value) <> 'array' or value = '[]' then
                raise exception using errcode = '22023', hint = format('Write {"%s": [{...}, {...}]}.', field),
                    message = format('filter %s takes a list of at least one object, not %s', place,
                        shop_private.filter_shown(value));
            end if;
            choices := null;
            for i in 0 .. jsonb_array_length(value) - 1 loop
                select g.* into p_conditions, part
                from shop_private.filter_group(value -> i, format('%s[%s]', place, i), p_depth + 1, p_conditions) g;
                choices := choices || part;
            end loop;
            parts := parts || format('(%s)', array_to_string(choices, format(' %s ', field)));
        elsif field = 'not' then
            select g.* into p_conditions, part
            from shop_private.filter_group(value, place, p_depth + 1, p_conditions) g;
            parts := parts || format('(%s) is not true', part);
        else
            kind := shop_private.filter_kind(field, p_place);
            operators := case jsonb_typeof(value) when 'object' then value
                when 'array' then jsonb_build_object('in', value) else jsonb_build_object('eq', value) end;
            if operators = '{}' then
                raise exception using errcode = '22023', message = format('filter %s has no operator', place),
                    hint = 'Write for example {"eq": ...}, or leave the field out.';
            end if;
            for operator, operand in select * from jsonb_each(operators) loop
                p_conditions := p_conditions + 1;
                part := shop_private.filter_test(field, kind, operator, operand,
                    case when operators = value then place || '.' || left(operator, 80) else place end);
                parts := parts || part;
            end loop;
        end if;
        exit when p_conditions > 1000;
    end loop;

    if parts is null then  -- {} is true, and counts: a list may hold many
        p_conditions := p_conditions + 1;
        parts := '{true}';
    end if;
    if p_conditions > 1000 then
        raise exception using errcode = '54000', message = 'the filter has more than 1000 conditions',
            hint = 'Many values of one field are one condition: {"sku": {"in": [...]}}.';
    end if;
    condition := case cardinality(parts) when 1 then parts[1]
        else format('(%s)', array_to_string(parts, ' and ')) end;
end $$;
