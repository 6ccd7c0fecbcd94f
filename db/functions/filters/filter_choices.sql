-- Returns the SQL condition of p_list, a list of objects whose conditions are joined by p_operator (`and` or `or`).
-- p_place is the path of the list in the filter; error messages show this path. p_depth is the number of operators
-- (and, or, not) that enclose the objects. p_conditions is the number of conditions of the filter that are translated
-- already; on return, this number includes the conditions of the list.
create or replace function shop_private.filter_choices(
    p_operator text, p_list jsonb, p_place text, p_depth integer, inout p_conditions integer, out condition text
) language plpgsql stable parallel safe as $$
declare
    part text;
    parts text[];
begin
    if jsonb_typeof(p_list) <> 'array' or p_list = '[]' then
        raise exception using errcode = '22023', hint = format('Write {"%s": [{...}, {...}]}.', p_operator),
            message = format('filter %s takes a list of at least one object, not %s', p_place,
                shop_private.filter_shown(p_list));
    end if;
    for i in 0 .. jsonb_array_length(p_list) - 1 loop
        select g.* into p_conditions, part
        from shop_private.filter_group(p_list -> i, format('%s[%s]', p_place, i), p_depth, p_conditions) g;
        parts := parts || part;
    end loop;
    condition := format('(%s)', array_to_string(parts, format(' %s ', p_operator)));
end $$;
