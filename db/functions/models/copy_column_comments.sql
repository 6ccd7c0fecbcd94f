-- Copies the column comments of table p_from to the columns of the same names in view p_to. A comment that view p_to
-- already has is not written again, because a switch of the model holds locks on the views and should be short.
create or replace function shop_private.copy_column_comments(p_from regclass, p_to regclass)
returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    name text;
    comment text;
begin
    for name, comment in
        select f.attname, col_description(p_from, f.attnum) from pg_attribute f
        join pg_attribute t on t.attrelid = p_to and t.attname = f.attname
        where f.attrelid = p_from and f.attnum > 0
            and col_description(p_from, f.attnum) is distinct from col_description(p_to, t.attnum)
    loop
        execute format('comment on column %s.%I is %L', p_to, name, comment);
    end loop;
end $$;
