-- Returns the conditions of one field, one condition for each operator of the field. A value without an operator stands
-- for the operator eq, and a list without an operator for the operator in. p_place is the path of the object that
-- contains the field, or null for the filter itself; error messages show this path.
create or replace function shop_private.filter_field(p_field text, p_value jsonb, p_place text)
returns text[] language plpgsql stable parallel safe as $$
declare
    place constant text := concat_ws('.', p_place, left(p_field, 80));
    kind constant text := shop_private.filter_kind(p_field, p_place);
    operators constant jsonb := case jsonb_typeof(p_value) when 'object' then p_value
        when 'array' then jsonb_build_object('in', p_value) else jsonb_build_object('eq', p_value) end;
    operator text;
    operand jsonb;
    tests text[];
begin
    if operators = '{}' then
        raise exception using errcode = '22023', message = format('filter %s has no operator', place),
            hint = 'Write for example {"eq": ...}, or omit the field.';
    end if;
    for operator, operand in select * from jsonb_each(operators) loop
        tests := tests || shop_private.filter_test(p_field, kind, operator, operand,
            case when operators = p_value then place || '.' || left(operator, 80) else place end);
    end loop;
    return tests;
end $$;
