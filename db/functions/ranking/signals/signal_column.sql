-- Returns the type of column p_column of p_relation. Raises an error if the column does not exist, or if its type is
-- not in p_types. A domain counts as its base type.
create or replace function shop_private.signal_column(p_relation regclass, p_column text, p_types regtype[])
returns regtype
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    found_type constant regtype := (
        select case when t.typtype = 'd' then t.typbasetype else t.oid end
        from pg_attribute a join pg_type t on t.oid = a.atttypid
        where a.attrelid = p_relation and a.attname = p_column and a.attnum > 0 and not a.attisdropped);
begin
    if found_type is null then
        raise exception using errcode = '42704', message = format('%s has no column %L', p_relation, p_column),
            hint = 'A signal needs a column with a number, and a column product_id or sku.';
    end if;
    if found_type <> all(p_types) then
        raise exception using errcode = '22023',
            message = format('column %L of %s has the type %s', p_column, p_relation, found_type),
            hint = format('The column needs one of the types %s.', array_to_string(p_types, ', '));
    end if;
    return found_type;
end $$;
