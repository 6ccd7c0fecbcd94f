-- The filter language (docs/filters.md): a JSON object becomes one SQL condition on shop.product, named p, for the
-- searches to run. Three rules keep it safe and fast:
--   * every value and every key is a quoted literal (%L, which is right under any standard_conforming_strings), and
--     columns come from the list below, so nothing a caller writes is ever SQL;
--   * values are checked here against the field's type, so the condition never fails on a row, whatever it holds;
--   * an indexed column stands alone on its side of an operator that its index knows.
--
-- The first function pins search_path for all it calls.
create or replace function shop_private.filter_condition(filter jsonb) returns text
language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
    if filter is null or filter = 'null' or filter = '{}' then
        return 'true';
    end if;
    if pg_column_size(filter) > 1048576 then
        raise exception using errcode = '54000', hint = 'Split it into several searches.',
            message = format('the filter is too large: %s bytes, at most 1048576 (1 MB)', pg_column_size(filter));
    end if;
    return (shop_private.filter_group(filter, null, 0, 0)).condition;
end $$;

-- The same for reading: what a filter means in SQL.
create or replace function shop.filter_sql(filter jsonb) returns text
language sql stable parallel safe return shop_private.filter_condition(filter);

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

-- What a field holds: text, number, time or attribute; an error that knows the field's right name, if there is none.
create or replace function shop_private.filter_kind(p_field text, p_place text) returns text
language plpgsql stable parallel safe as $$
declare
    texts constant text[] := '{sku,title,description,brand,product_type,currency,availability,gtin,mpn,item_group_id,'
        'link,image_link,color,size,material,condition}';
    others constant text[] := '{price,created_at,updated_at}';
    nearest text;
begin
    if p_field = any (texts) then
        return 'text';
    elsif p_field = any (others) then
        return case p_field when 'price' then 'number' else 'time' end;
    elsif starts_with(p_field, 'attributes.') then
        return 'attribute';
    end if;
    select n.name into nearest
    from (select f.name, @trgm@.similarity(f.name, left(p_field, 80)) as alike
          from unnest(texts || others || '{and,or,not}') f(name)) n
    where n.alike >= 0.3 order by n.alike desc, n.name limit 1;
    raise exception using errcode = '22023',
        message = format('%s has no field %s', concat_ws(' ', 'filter', p_place), to_jsonb(left(p_field, 80)))
            || coalesce('; did you mean "' || nearest || '"?', ''),
        hint = format('Fields are %s, and attributes.<key> for what is none of them.',
            array_to_string(texts || others, ', '));
end $$;

-- One operator of one field. A null comparison is no match, so what negates says "is not true" and keeps the products
-- without a value.
create or replace function shop_private.filter_test(
    p_field text, p_kind text, p_operator text, p_operand jsonb, p_place text
) returns text language plpgsql stable parallel safe as $$
declare
    operators text[] := '{eq,ne,in,nin,lt,lte,gt,gte,exists}';
    positive constant text := case p_operator when 'ne' then 'eq' when 'nin' then 'in' else p_operator end;
    condition text;
begin
    if p_kind in ('text', 'attribute') then
        operators := operators || '{contains,prefix}';
    end if;
    if p_operator <> all (operators) then
        raise exception using errcode = '22023',
            message = format('filter %s: this field has no such operator', p_place),
            hint = format('Its operators are %s.', array_to_string(operators, ', ')) || case p_kind
                when 'attribute' then format(' What is inside it is named %s.<key>.', left(p_field, 80)) else '' end;
    end if;
    if p_operator = 'exists' and jsonb_typeof(p_operand) <> 'boolean' then
        raise exception using errcode = '22023', hint = 'Write {"exists": true} or {"exists": false}.',
            message = format('filter %s takes true or false, not %s', p_place, shop_private.filter_shown(p_operand));
    end if;
    condition := case p_kind
        when 'attribute' then shop_private.filter_attribute(p_field, positive, p_operand, p_place)
        else shop_private.filter_column(p_field, p_kind, positive, p_operand, p_place) end;
    return case when positive = p_operator then condition else format('(%s) is not true', condition) end;
end $$;
