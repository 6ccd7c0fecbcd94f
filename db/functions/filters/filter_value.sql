-- Checks p_value, a value of a filter (docs/filters.md), against p_kind and the limits of length. A value that passes
-- the check can be compared with any row without an error. p_kind is text, number, time, scalar (a text, a number, true
-- or false) or order (a text or a number). Returns the value as text; the caller must still quote this text. For text
-- and number, the result is the value itself; for time, the value with a zone; for scalar and order, JSON. p_place is
-- the path of the value in the filter; error messages show this path.
create or replace function shop_private.filter_value(p_kind text, p_value jsonb, p_place text) returns text
language plpgsql stable parallel safe as $$
declare
    type constant text := jsonb_typeof(p_value);
    written constant text := p_value #>> '{}';
    instant text;
begin
    if type = 'string' and length(written) > 10000 or type = 'number' and length(written) > 100 then
        raise exception using errcode = '54000',
            message = format('filter %s is too long: %s characters', p_place, length(written)),
            hint = 'A text has at most 10000 characters; a number has at most 100 digits.';
    end if;
    if p_kind = 'text' and type = 'string' or p_kind = 'number' and type = 'number' then
        return written;
    elsif p_kind = 'scalar' and type in ('string', 'number', 'boolean')
        or p_kind = 'order' and type in ('string', 'number') then
        return p_value::text;
    elsif p_kind = 'time' and type = 'string'
        -- The pattern excludes words such as 'now'. A time without a zone gets the zone UTC (Z) below, because a filter
        -- must mean the same in every session.
        and written ~ ('^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?'
            '(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?$')
    then
        instant := written || case when written ~ '^.{10}(.[0-9:.]+)?$' then 'Z' else '' end;
        if pg_input_is_valid(instant, 'timestamptz') then
            return instant;
        end if;
    end if;
    raise exception using errcode = '22023',
        message = format('filter %s takes %s, not %s', p_place, case p_kind when 'text' then 'a text'
            when 'number' then 'a number' when 'time' then 'a time' when 'order' then 'a number or a text'
            else 'a text, a number, true or false' end, shop_private.filter_shown(p_value)),
        hint = case
            when type = 'null' then 'Products without a value are found by {"exists": false}.'
            when p_kind = 'time' then 'Write "2026-01-31" or "2026-01-31T09:30:00Z"; without a zone it is UTC.'
            when p_kind = 'text' and type = 'number' then format('Put it in quotes: "%s".', written)
            when p_kind = 'number' and written ~ '^-?[0-9]+([.][0-9]+)?$' then format('Drop the quotes: %s.', written)
            when type = 'array' then 'Use lists with in and nin, or with eq and ne if the attribute is a list.'
            when p_kind = 'text' then 'Write for example "bags".'
            when p_kind = 'number' then 'Write for example 80 or 79.95.'
            when type = 'object' then 'A value inside an attribute is named attributes.<key>.<key>.'
            else 'True and false have no order; use eq.'
        end;
end $$;
