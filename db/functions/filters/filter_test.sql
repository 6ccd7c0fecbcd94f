-- Returns the SQL condition of one operator of one field. A comparison with a missing value is never true. The negating
-- operators ne and nin are therefore written as "(...) is not true", so that {"ne": "red"} also selects products
-- without a value. p_kind is the kind of the field (see filter_kind). p_place is the path of the operator in the
-- filter; error messages show this path.
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
            hint = format('The operators of this field are %s.', array_to_string(operators, ', ')) || case p_kind
                when 'attribute' then format(' A value inside the attribute is named %s.<key>.', left(p_field, 80))
                else '' end;
    end if;
    if p_operator = 'exists' and jsonb_typeof(p_operand) <> 'boolean' then
        raise exception using errcode = '22023', hint = 'Write {"exists": true} or {"exists": false}.',
            message = format('filter %s takes true or false, not %s', p_place, shop_private.filter_shown(p_operand));
    end if;
    condition := case p_kind
        when 'attribute' then shop_private.filter_attribute(p_field, positive, p_operand, p_place)
        when 'number' then case p_field
            when 'effective_price' then shop_private.filter_effective_price(positive, p_operand, p_place)
            else shop_private.filter_column(p_field, p_kind, positive, p_operand, p_place) end
        else shop_private.filter_column(p_field, p_kind, positive, p_operand, p_place) end;
    return case when positive = p_operator then condition else format('(%s) is not true', condition) end;
end $$;
