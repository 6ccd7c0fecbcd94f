-- Returns how much the cosine similarities of a meaningful text to the vectors of p_table vary, as a standard
-- deviation. The result is the average over some titles of the catalog, whose vectors are stored, so no encoder is
-- needed. p_titles is the table of the title vectors; p_title_rows and p_rows are the numbers of rows of p_titles and
-- p_table. Because product_id is a hash, the order of product_id is random.
create or replace function shop_private.typical_deviation(
    p_titles regclass, p_title_rows bigint, p_table regclass, p_rows bigint
)
returns double precision
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
declare
    typical double precision;
begin
    execute format('select avg(d.deviation) from (
        select stddev_pop(1 - (i.embedding operator(@vector@.<=>) t.embedding)) as deviation
        from (select t.product_id, t.embedding from %s t tablesample system (%s) repeatable (0)
            order by t.product_id limit @typical_texts@) t,
            (select i.embedding from %s i tablesample system (%s) repeatable (0)
            order by i.product_id limit @typical_vectors@) i
        group by t.product_id) d',
        p_titles, least(100, 100.0 * @background_vectors@ / greatest(1, p_title_rows)),
        p_table, least(100, 100.0 * @background_vectors@ / greatest(1, p_rows)))
    into typical;
    return typical;
end $$;
