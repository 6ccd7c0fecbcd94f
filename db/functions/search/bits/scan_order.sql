-- Returns the SQL by which a scan of a vector index orders the vectors of a source with the alias i, nearest to
-- p_vector first. p_vector is the SQL of a vector. If p_bits is null, the index has the vectors, and the order is that
-- of the cosine distance. Otherwise the index has the sign of each of the p_bits numbers of a vector, and the order is
-- that of the number of different signs. The planner uses the index over bits only for exactly this expression.
create or replace function shop_private.scan_order(p_bits integer, p_vector text)
returns text
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
    select case when p_bits is null then format('i.embedding operator(@vector@.<=>) %s', p_vector)
        else format('@vector@.binary_quantize(i.embedding)::bit(%s) operator(@vector@.<~>) '
            '@vector@.binary_quantize(%s)::bit(%1$s)', p_bits, p_vector) end
$$;
