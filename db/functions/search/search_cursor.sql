-- Returns the parts of p_cursor: the version and the k of the first page, the place of the row with the cursor, and the
-- mark of this row in a sorted list (see sorted_products). The version names the model and the calibration. p_key
-- identifies the caller's search. Raises an error if p_cursor is not a cursor, or if the cursor belongs to another
-- search.
create or replace function shop_private.search_cursor(p_cursor text, p_key text)
returns table (version text, first_k integer, place integer, mark text)
language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
declare
    part constant text[] := regexp_match(
        p_cursor, E'^([0-9a-f]{32})\\.([0-9]+(?:-[0-9]+)?)\\.([0-9]{1,4})\\.([0-9]{1,7})'
        '(?:\\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\\.[0-9a-f]{8}'
        '(?:\\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\\.[0-9a-f]{8})?))?$');
begin
    if part is null or part[3]::integer not between 1 and @max_results@ then
        raise exception using errcode = '22023', message = 'after is not a cursor',
            hint = 'Pass the value of the column cursor of a row on the previous page.';
    end if;
    if part[1] <> p_key then
        raise exception using errcode = '22023', message = 'the cursor belongs to another search',
            hint = 'Pass the same query, filter and options as for the first page; only k may differ.';
    end if;
    return query select part[2], part[3]::integer, part[4]::integer, part[5];
end $$;
