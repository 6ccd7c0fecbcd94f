-- Returns a description of p_value, a value of a filter, for error messages.
create or replace function shop_private.filter_shown(p_value jsonb) returns text
language sql stable parallel safe
return case jsonb_typeof(p_value)
    when 'array' then case p_value when '[]' then 'an empty list' else 'a list' end
    when 'object' then 'an object'
    when 'string' then format('the text %s', to_jsonb(left(p_value #>> '{}', 80)))
    when 'number' then format('the number %s', left(p_value #>> '{}', 80))
    else p_value::text end;
