-- Translates one object of a filter into an SQL condition; a product must meet the conditions of every field. p_place
-- is the path of the object in the filter, such as or[1], or null for the filter itself; error messages show this path.
-- p_depth is the number of operators (and, or, not) that enclose the object. p_conditions is the number of conditions
-- of the filter that are translated already; on return, this number includes the conditions of the object.
create or replace function shop_private.filter_group(
    p_group jsonb, p_place text, p_depth integer, inout p_conditions integer, out condition text
) language plpgsql stable parallel safe as $$
declare
    field text;
    value jsonb;
    place text;
    part text;
    parts text[];
    tests text[];
begin
    if jsonb_typeof(p_group) <> 'object' then
        raise exception using errcode = '22023',
            message = format('%s takes an object, not %s', concat_ws(' ', 'filter', p_place),
                shop_private.filter_shown(p_group)),
            hint = 'Write for example {"price": {"lt": 80}, "product_type": "bags"}.';
    end if;
    if p_depth > 20 then
        raise exception using errcode = '54000', message = 'the filter is too deep: more than 20 of "and", "or", "not" '
            'are nested', hint = 'A product must satisfy every field of an object, so "and" is rarely needed.';
    end if;

    for field, value in select * from jsonb_each(p_group) loop
        place := concat_ws('.', p_place, left(field, 80));
        if field in ('and', 'or') then
            select c.* into p_conditions, part
            from shop_private.filter_choices(field, value, place, p_depth + 1, p_conditions) c;
            parts := parts || part;
        elsif field = 'not' then
            select g.* into p_conditions, part
            from shop_private.filter_group(value, place, p_depth + 1, p_conditions) g;
            parts := parts || format('(%s) is not true', part);
        else
            tests := shop_private.filter_field(field, value, p_place);
            p_conditions := p_conditions + cardinality(tests);
            parts := parts || tests;
        end if;
        exit when p_conditions > 1000;
    end loop;

    if parts is null then  -- {} counts as one condition, so that a long list of {} also reaches the limit
        p_conditions := p_conditions + 1;
        parts := '{true}';
    end if;
    if p_conditions > 1000 then
        raise exception using errcode = '54000', message = 'the filter has more than 1000 conditions',
            hint = 'A list of values for one field counts as one condition: {"sku": {"in": [...]}}.';
    end if;
    condition := case cardinality(parts) when 1 then parts[1]
        else format('(%s)', array_to_string(parts, ' and ')) end;
end $$;
