-- Returns the SQL expression on p (shop.product) that reads the attribute p_field as text. p_field is attributes.<key>
-- or a path of keys. A dot inside a key is written "\.", as in a filter. p_option is the name of the option that
-- contains the field; the error for a wrong path shows this name.
create or replace function shop_private.attribute_text(p_field text, p_option text)
returns text
language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
declare
    path constant text[] := regexp_split_to_array(
        substr(left(p_field, 1001), length('attributes.') + 1), E'(?<!\\\\)[.]');
    value text := 'p.attributes';
begin
    if '' = any (path) or cardinality(path) > 20 or length(p_field) > 1000 then
        raise exception using errcode = '22023',
            message = format('%s names no attribute: %L', p_option, left(p_field, 80)),
            hint = 'Write attributes.<key>, or attributes.<key>.<key>: at most 20 keys and 1000 characters.';
    end if;
    for i in 1 .. cardinality(path) loop
        value := format('%s %s %L', value, case i when cardinality(path) then '->>' else '->' end,
            replace(path[i], E'\\.', '.'));
    end loop;
    return value;
end $$;
