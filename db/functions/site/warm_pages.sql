-- Reads a range of pages of a table or index of schema shop into memory, from page p_first to page p_last. p_mode is
-- pg_prewarm's mode: `buffer` reads into shared_buffers, `read` into the cache of the operating system. Without the
-- extension pg_prewarm, or for a relation of another schema, the function reads nothing and returns false.
create or replace function shop_private.warm_pages(p_relation regclass, p_mode text, p_first bigint, p_last bigint)
returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    prewarm constant text := (
        select format('%I.pg_prewarm', n.nspname) from pg_extension e join pg_namespace n on n.oid = e.extnamespace
        where e.extname = 'pg_prewarm');
begin
    if prewarm is null or not exists (
        select from pg_class c where c.oid = p_relation and c.relnamespace = 'shop'::regnamespace)
    then
        return false;
    end if;
    execute format('select %s($1, $2, ''main'', $3, p.last)
            from (select least($4, pg_relation_size($1) / current_setting(''block_size'')::integer - 1) as last) p
            where p.last >= $3', prewarm)
        using p_relation, p_mode, p_first, p_last;
    return true;
end $$;
