-- Checks the items of p_list, the list of values that an operator of a filter takes. `items` returns the checked items
-- as text, without nulls. or_null returns whether the list contains null. p_kind is the kind that each item must have
-- (see filter_value). p_place is the path of the list in the filter; error messages show this path.
create or replace function shop_private.filter_items(
    p_kind text, p_list jsonb, p_place text, out items text[], out or_null boolean
) language plpgsql stable parallel safe as $$
begin
    if jsonb_typeof(p_list) <> 'array' then
        raise exception using errcode = '22023', hint = 'Write for example {"in": ["black", "brown"]}.',
            message = format('filter %s takes a list, not %s', p_place, shop_private.filter_shown(p_list));
    end if;
    if jsonb_array_length(p_list) > 10000 then
        raise exception using errcode = '54000', hint = 'Spread the list over several searches.',
            message = format(
                'filter %s has %s items; at most 10000 are allowed', p_place, jsonb_array_length(p_list));
    end if;
    select coalesce(array_agg(shop_private.filter_value(p_kind, i.item, format('%s[%s]', p_place, i.n - 1)))
            filter (where i.item <> 'null'), '{}'),
        coalesce(bool_or(i.item = 'null'), false)
    into items, or_null
    from jsonb_array_elements(p_list) with ordinality i(item, n);
end $$;
