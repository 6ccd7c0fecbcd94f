-- Returns the mean and the standard deviation of a query's cosine similarity to the vectors of a catalog. p_table is
-- the table of the image vectors or of the title vectors. Both figures come from a sample of about @background_vectors@
-- vectors; `vectors` is the exact size of the sample. p_in_catalog is the condition on p (shop.product) that selects
-- the catalog, and p_rows is the number of rows of p_table that belong to the catalog.
create or replace function shop_private.similarity_background(
    p_vector @vector@.halfvec, p_table regclass, p_rows double precision, p_in_catalog text,
    out mean double precision, out deviation double precision, out vectors bigint
)
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
begin
    execute format('select avg(s.similarity), stddev_pop(s.similarity), count(*)
        from (select 1 - (i.embedding operator(@vector@.<=>) $1) as similarity
            from %s i tablesample system (%s) repeatable (0) %s) s',
        p_table, least(100, 100 * @background_vectors@ / greatest(1, p_rows)),
        case when p_in_catalog <> 'true'
            then format('join shop.product p on p.product_id = i.product_id where %s', p_in_catalog) end)
    into mean, deviation, vectors using p_vector;
end $$;
