-- Returns the share of all products that belong to p_catalog, as of the last ANALYZE. Returns null if the statistics do
-- not list the catalog, or if row level security hides the statistics from the caller.
create or replace function shop_private.catalog_share(p_catalog text)
returns double precision
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    return (
        select c.share from pg_stats s, unnest(s.most_common_vals::text::text[], s.most_common_freqs) c(catalog, share)
        where s.schemaname = 'shop' and s.tablename = 'product' and s.attname = 'catalog' and c.catalog = p_catalog);
end $$;
