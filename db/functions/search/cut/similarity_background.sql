-- Returns the mean and the standard deviation of a query's cosine similarity to the vectors of a catalog. p_table is
-- the table of the image vectors or of the title vectors. p_in_catalog is the condition on p (shop.product) that
-- selects the catalog. Both figures come from the @background_vectors@ vectors of the catalog with the smallest
-- product_ids; `vectors` is the exact size of this sample. The sample is fair, because product_id is a hash. A caller
-- gets the same figures for the same query until the catalog changes.
--
-- `rows` is the number of vectors of the catalog. If the sample has @background_vectors@ vectors, `rows` is estimated
-- from the last product_id of the sample, because the keys are evenly spread; the error is about 3%. Otherwise, `rows`
-- is the size of the sample. This number is exact, unless the limit of the next paragraph has cut the sample short.
--
-- A row policy on the vectors looks up the product of each vector. If the caller does not see every product, the
-- function therefore reads the products first, and then only vectors of products that the caller sees. In this case,
-- the sample is limited to vectors of the 20 x @background_vectors@ products with the smallest product_ids.
create or replace function shop_private.similarity_background(
    p_vector @vector@.halfvec, p_table regclass, p_in_catalog text,
    out mean double precision, out deviation double precision, out vectors bigint, out rows double precision
)
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
declare
    narrow constant boolean := row_security_active(p_table) and not shop_private.sees_every_product();
    last uuid;
begin
    execute format('select avg(s.similarity), stddev_pop(s.similarity), count(*), (array_agg(s.product_id))[count(*)]
        from (select i.product_id, 1 - (i.embedding operator(@vector@.<=>) $1) as similarity
            from %s order by %s.product_id, i.embedding limit @background_vectors@) s',
        case when narrow
            then format('(select p.product_id from shop.product p where %s
                    order by p.product_id limit 20 * @background_vectors@) p
                cross join lateral (select i.* from %s i where i.product_id = p.product_id offset 0) i',
                p_in_catalog, p_table)
            when p_in_catalog <> 'true'
            then format('%s i join shop.product p on p.product_id = i.product_id where %s', p_table, p_in_catalog)
            else format('%s i', p_table) end,
        case when narrow then 'p' else 'i' end)
    into mean, deviation, vectors, last using p_vector;
    rows := vectors;
    if vectors = @background_vectors@ then
        rows := vectors * (2::double precision ^ 48)
            / greatest(1, ('x' || left(replace(last::text, '-', ''), 12))::bit(48)::bigint);
    end if;
end $$;
