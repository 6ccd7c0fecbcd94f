-- Returns, as SQL, a table expression that samples about p_rows rows of a table. p_table names the table, and p_total
-- is the number of its rows. The same expression samples the same pages again, as long as the table has the same pages.
create or replace function shop_private.sample_of(p_table text, p_total bigint, p_rows integer)
returns text
language plpgsql immutable as $$
begin
    return format('%s tablesample system (%s) repeatable (0)',
        p_table, least(100, 100.0 * p_rows / greatest(1, p_total)));
end $$;
