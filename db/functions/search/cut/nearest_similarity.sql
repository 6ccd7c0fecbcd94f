-- Returns the cosine similarity of a query to the nearest image or title (p_part) of a catalog, or null if the catalog
-- has no vectors. p_in_catalog is the condition on p (shop.product) that selects the catalog. If p_by_index is true, an
-- index finds the vector, and p_bits says what this index stores (see scan_order). Otherwise all vectors of the catalog
-- are compared.
do $$ begin perform '[1]'::@vector@.vector; end $$;  -- loads pgvector, which defines the settings of scans

create or replace function shop_private.nearest_similarity(
    p_part text, p_bits integer, p_vector @vector@.halfvec, p_in_catalog text, p_by_index boolean
)
returns double precision
language plpgsql stable
set search_path = pg_catalog, pg_temp
set jit = off
set enable_sort = off
set hnsw.iterative_scan = relaxed_order
set hnsw.scan_mem_multiplier = @scan_mem_multiplier@
set work_mem = @scan_work_mem@
set hnsw.max_scan_tuples = @max_scan_tuples@
set ivfflat.iterative_scan = relaxed_order
set ivfflat.max_probes = @bit_most_lists@
set ivfflat.probes = @bit_lists@
as $$
declare
    nearest double precision;
begin
    execute format(case when p_by_index then 'select max(n.similarity) from (
            select 1 - (i.embedding operator(@vector@.<=>) $1) as similarity from shop.%I i
            join shop.product p on p.product_id = i.product_id where %s order by %s limit %s) n'
        else 'select max(1 - (i.embedding operator(@vector@.<=>) $1)) from shop.%I i
            join shop.product p on p.product_id = i.product_id where %s' end, p_part || '_vector', p_in_catalog,
        shop_private.scan_order(p_bits, '$1'), case when p_bits is null then 1 else @bit_cut_batch@ end)
    into nearest using p_vector;
    return nearest;
end $$;
