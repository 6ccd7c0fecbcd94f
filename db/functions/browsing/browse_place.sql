-- Returns the place of the last row of the previous page: its sort key and its product_id. `key` is null if the product
-- has no key. Both columns are null on the first page. Raises an error if p_after is given together with another
-- argument, or if p_after_cursor is not a cursor of the order p_sort.
create or replace function shop_private.browse_place(p_after uuid, p_sort text, p_after_cursor text)
returns table (key numeric, product_id uuid)
language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
declare
    part constant text[] := regexp_match(p_after_cursor,
        E'^(?:([a-z_ ]+)\\|([0-9]{1,10}\\.[0-9]{2})?\\|)?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$');
begin
    if p_after is not null and num_nonnulls(p_sort, p_after_cursor) > 0 then
        raise exception using errcode = '22023', message = 'after is only for a list without sort and after_cursor',
            hint = 'Pass the value of the column cursor of the previous page''s last row as after_cursor.';
    end if;
    if p_after_cursor is not null and (part is null or part[1] is distinct from p_sort) then
        raise exception using errcode = '22023', message = 'after_cursor is not a cursor of this order',
            hint = 'Pass the value of the column cursor of the previous page''s last row, with the same sort.';
    end if;
    return query select part[2]::numeric, coalesce(p_after, part[3]::uuid);
end $$;
