-- Returns a typical standard deviation of the cosine similarities between a meaningful text and the vectors of p_table:
-- the average of the deviations of @typical_texts@ product titles. The vectors of titles are stored in p_titles, so no
-- encoder is needed. Only the rows with the smallest product_ids are used: @typical_texts@ rows of p_titles, and
-- @typical_vectors@ rows of p_table. These rows are fair samples, because product_id is a hash.
create or replace function shop_private.typical_deviation(p_titles regclass, p_table regclass)
returns double precision
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
declare
    typical double precision;
begin
    execute format('select avg(d.deviation) from (
        select stddev_pop(1 - (i.embedding operator(@vector@.<=>) t.embedding)) as deviation
        from (select t.product_id, t.embedding from %s t order by t.product_id limit @typical_texts@) t,
            (select i.embedding from %s i order by i.product_id, i.embedding limit @typical_vectors@) i
        group by t.product_id) d', p_titles, p_table)
    into typical;
    return typical;
end $$;
