-- Returns the mean and the standard deviation of a query's cosine similarity to the vectors of a catalog. p_table is
-- the table of the image vectors or of the title vectors. p_in_catalog is the condition on p (shop.product) that
-- selects the catalog. Both figures come from the @background_vectors@ vectors of the catalog with the smallest
-- product_ids; `vectors` is the exact size of this sample. Because product_id is a hash, the sample is fair. Because
-- the sample depends on nothing else, the same query has the same figures until the catalog changes.
--
-- `rows` is the number of vectors of the catalog: exact if the sample has all of them. Otherwise the share of all
-- possible keys that lies below the last key of the sample tells how many vectors follow; the error is about 3%.
create or replace function shop_private.similarity_background(
    p_vector @vector@.halfvec, p_table regclass, p_in_catalog text,
    out mean double precision, out deviation double precision, out vectors bigint, out rows double precision
)
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
declare
    last uuid;
begin
    execute format('select avg(s.similarity), stddev_pop(s.similarity), count(*), (array_agg(s.product_id))[count(*)]
        from (select i.product_id, 1 - (i.embedding operator(@vector@.<=>) $1) as similarity
            from %s i %s order by i.product_id, i.embedding limit @background_vectors@) s',
        p_table, case when p_in_catalog <> 'true'
            then format('join shop.product p on p.product_id = i.product_id where %s', p_in_catalog) end)
    into mean, deviation, vectors, last using p_vector;
    rows := vectors;
    if vectors = @background_vectors@ then
        rows := vectors * (2::double precision ^ 48)
            / greatest(1, ('x' || left(replace(last::text, '-', ''), 12))::bit(48)::bigint);
    end if;
end $$;
