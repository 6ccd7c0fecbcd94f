-- The nearest products by one kind of vector (p_part: image or title), through its HNSW index: each product once, with
-- its nearest picture. The index is asked for p_scan candidates, in batches of p_ef, and as many of them are taken as
-- p_depth products need that meet the condition on p (shop.product). Fewer come back when the filter shuns the
-- neighbourhood of the query; to ask on would fill the list, but with products from anywhere: see search_leg.
--
-- The join beside the index scan has to keep its order, so a nested loop: sorting is made dearer than anything, and
-- such a plan must not look dear enough to be compiled.
do $$ begin perform '[1]'::@vector@.vector; end $$;  -- loads the library: only then may its settings be named

create or replace function shop_private.hnsw_leg(
    p_part text, p_vector @vector@.halfvec, p_condition text, p_depth integer, p_rows_per_product double precision,
    p_index regclass, p_ef integer, p_scan integer
)
returns shop_private.leg
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_sort = off
set jit = off
set hnsw.iterative_scan = relaxed_order
set hnsw.ef_search = 40
set hnsw.max_scan_tuples = 200000  -- looked at, not returned; a limit met here returns candidates of any distance
as $$
declare
    found shop_private.leg;
    began constant timestamptz := clock_timestamp();
    counted constant bigint := pg_stat_get_xact_tuples_returned(p_index);
    fetched bigint;
    take integer := ceil(p_depth * greatest(1, least(p_rows_per_product, 100)));
    statement constant text := shop_private.nearest_sql(format('select n.product_id, n.position, n.distance
        from (select i.product_id, i.position, i.embedding operator(@vector@.<=>) $1 as distance
            from shop.%I i order by i.embedding operator(@vector@.<=>) $1 limit $4) n
        join shop.product p on p.product_id = n.product_id
        where %s order by n.distance limit $2', p_part || '_vector', p_condition));
begin
    perform set_config('hnsw.ef_search', p_ef::text, true);
    loop
        execute statement into found.product_ids, found.positions, found.scores, fetched
        using p_vector, take, p_depth, p_scan;
        exit when cardinality(found.product_ids) >= p_depth or fetched < take;
        take := take * 2;
    end loop;
    found.route := 'hnsw';
    found.index_name := p_index::text;
    found.ef_search := p_ef;
    found.examined := pg_stat_get_xact_tuples_returned(p_index) - counted;
    found.ms := extract(epoch from clock_timestamp() - began) * 1000;
    return found;
end $$;
